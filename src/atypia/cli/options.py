"""Options that several commands share, and how values on the command line become those of a recipe."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from atypia.errors import BadOption
from atypia.networks.recipe import RECIPES, Recipe

Command = TypeVar("Command", bound=Callable[..., Any])

EXISTING = click.Path(exists=True, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
ANY = click.Path(path_type=Path)

root = click.option(
    "--root", type=FOLDER, help="Folder that a table's relative paths start from. Default: the table's own."
)
seed = click.option(
    "--seed", type=int, default=0, show_default=True, help="Same seed, same machine, same numbers."
)
threads = click.option(
    "--threads", type=click.IntRange(1), help="Threads of the networks. Default: all cores."
)
weights = click.option(
    "--weights",
    type=FILE,
    help="ResNet50 weights: Keras' official notop .h5, a RadImageNet ResNet50 notop .h5, or a file that stops at conv4.",
)


def out(help: str, default: str | None = None) -> Callable[[Command], Command]:
    """Return the option -o/--out with its help."""
    return click.option(
        "-o",
        "--out",
        type=ANY,
        required=default is None,
        default=default,
        show_default=bool(default),
        help=help,
    )


def command_line() -> str:
    """Return the command as it was typed, without the folders that a path leads through."""
    import shlex
    import sys

    words = [Path(word).name or word if "/" in word else word for word in sys.argv[1:]]
    return shlex.join(["atypia", *words])


def recipe_of(name: str, settings: tuple[str, ...], **given: Any) -> Recipe:
    """Return a named recipe with `NAME=VALUE` settings, then given options where they are not None."""
    known = {item.name for item in fields(Recipe)}
    changes: dict[str, Any] = {}
    for setting in settings:
        key, sign, text = setting.partition("=")
        key = key.strip().replace("-", "_")
        if not sign or key not in known:
            raise BadOption(
                f"Expected --set NAME=VALUE with a name out of {', '.join(sorted(known))}; received {setting!r}."
            )
        changes[key] = _value(text.strip(), getattr(RECIPES[name], key), key)
    changes |= {key: value for key, value in given.items() if value is not None}
    return replace(RECIPES[name], **changes)


def _value(text: str, like: Any, key: str) -> Any:
    """Read a value of the type that the recipe has there; a list is written with commas."""
    try:
        if isinstance(like, bool):
            return {"true": True, "false": False, "yes": True, "no": False}[text.lower()]
        if isinstance(like, tuple):
            words = [word for word in text.split(",") if word]
            return tuple(words) if key == "cut" else tuple(int(word) for word in words)
        if isinstance(like, str):
            return text
        value = json.loads(text)
        return type(like)(value)
    except (KeyError, ValueError, TypeError) as error:
        raise BadOption(
            f"Expected --set {key} as {type(like).__name__}, such as {like}; received {text!r}."
        ) from error
