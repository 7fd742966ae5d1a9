"""Options that several commands share, and commands as they are typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from atypia.errors import BadOption
from atypia.reading.cutting import STRIPPING, WHOLE

Command = TypeVar("Command", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
"""Any path: what must be there is checked by what reads it, which says what was expected."""

PLANES = ("axial", "coronal", "sagittal")

WORDS = "atypia.words"

root = click.option(
    "--root",
    type=PATH,
    metavar="FOLDER",
    help="Where the relative paths of a table start. Default: the table's own folder.",
)
seed = click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="N",
    default=0,
    help="Same seed, same machine, same numbers.",
)
threads = click.option(
    "--threads",
    type=click.IntRange(1),
    metavar="N",
    help="Threads at work at once, at most. Default: all cores.",
)
allow_leak = click.option(
    "--allow-leak",
    is_flag=True,
    help="Go on where what is tested on was learned from. Every figure is then marked LEAKS.",
)
cluster = click.option(
    "--cluster/--no-cluster",
    default=True,
    help="Where scans name no group, find near-copies, mirrored and turned ones too, and keep them together. "
    "It reads every picture once more.",
)
weights = click.option(
    "--weights",
    type=PATH,
    metavar="FILE",
    help="Weights of the encoder. Of resnet50: Keras' official notop .h5, a RadImageNet ResNet50 notop .h5, "
    "or such a file that stops at conv4; of keras:MODEL: what Keras saved for it without top; of hub:MODEL: "
    "the folder of its preset. Default: those in the cache, or their publisher's download.",
)


def planes(default: str) -> Callable[[Command], Command]:
    """Return the option --plane, which is the planes in which to cut volumes, none or some."""
    return click.option(
        "--plane",
        "planes",
        default="",
        callback=_planes,
        metavar="NAMES",
        help="Planes in which to cut volumes, with commas between them: axial, coronal, sagittal. "
        f"Default: {default}",
    )


strip = click.option(
    "--strip",
    type=click.Choice(STRIPPING),
    default=WHOLE,
    help="Take scalp and skull off volumes first: built-in, by morphology, or a tool that is installed. The "
    "Screener does so with what it judges. Default: none.",
)
volume = click.option(
    "--volume",
    callback=lambda _context, _option, text: _volume(text),
    metavar="N",
    help="Which volume to take of NIfTI files that hold several: its number, counted from 0, or 'mean' for "
    "their mean. Default: such files are refused, unless the Screener was fitted with one.",
)


def _volume(text: str | None) -> str | None:
    """Return the number of a volume without zeros in front, or `mean`."""
    if text is None:
        return None
    word = text.strip().lower()
    if word != "mean" and not word.isdecimal():
        raise BadOption(f"--volume: expected a number from 0, or mean; received {text!r}.")
    return word if word == "mean" else str(int(word))


def _planes(context: click.Context, option: click.Parameter, text: str) -> tuple[str, ...]:
    """Return the planes that are named, each once."""
    del context, option
    names = tuple(dict.fromkeys(word.strip().lower() for word in text.split(",") if word.strip()))
    if unknown := [name for name in names if name not in PLANES]:
        raise BadOption(
            f"--plane: expected planes out of {', '.join(PLANES)}; received {', '.join(unknown)}."
        )
    return names


def out(
    metavar: str, help: str, default: str | None = None, *, required: bool = True
) -> Callable[[Command], Command]:
    """Return the option -o/--out with its help; it is required unless it has a default, or told not to be."""
    # With a default of None, even where it is required, click asks for nothing.
    need: dict[str, Any] = {"required": required} if default is None else {"default": default}
    return click.option("-o", "--out", type=PATH, metavar=metavar, help=help, **need)


def whole(name: str, help: str, *, least: int, default: int | None = None) -> Callable[[Command], Command]:
    """Return an option that takes a whole number."""
    return click.option(name, type=click.IntRange(least), metavar="N", default=default, help=help)


def command_line() -> str:
    """Return the command as it was typed, without the folders that a path leads through.

    It is shown in reports, which travel further than where the files of a machine lie should.
    """
    words = click.get_current_context().meta.get(WORDS, [])
    return to_type(*map(_without_folders, words))


def to_type(*words: object) -> str:
    """Return a command of ours as one types it, to be copied."""
    return shlex.join(["atypia", *map(str, words)])


def _without_folders(word: str) -> str:
    found = re.fullmatch(r"(--[a-z-]+=|-[a-z](?=.))?(.*)", word, re.DOTALL)
    if found is None or "/" not in word:
        return word
    return (found[1] or "") + (Path(found[2]).name or found[2])
