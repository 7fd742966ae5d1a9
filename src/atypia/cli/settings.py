"""The settings of a recipe on the command line: read from words, and explained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from atypia.errors import BadOption
from atypia.networks.recipe import RECIPES, Recipe

OWN_OPTIONS = {"encoder": "--encoder", "epochs": "--epochs", "learning_rate": "--learning-rate"}
SETTINGS = tuple(item.name for item in fields(Recipe) if item.name not in OWN_OPTIONS)
TRUTH = {"true": True, "yes": True, "false": False, "no": False}


def recipe_of(name: str, settings: tuple[str, ...], **given: Any) -> Recipe:
    """Return a named recipe with `NAME=VALUE` settings and with the given values that are not None.

    Raises BadOption for a setting that no recipe has, or a value that it cannot take.
    """
    recipe = RECIPES[name]
    changes: dict[str, Any] = dict(_read(setting, recipe) for setting in settings)
    changes |= {key: value for key, value in given.items() if value is not None}
    return replace(recipe, **changes)


def detector_settings(name: str, settings: Sequence[str]) -> dict[str, Any]:
    """Return `NAME=VALUE` settings of another detector than the autoencoder, as values of the right types.

    Raises BadOption for a setting that the detector has not, or a value that it cannot take.
    """
    from atypia.detectors.making import settings_of

    usual, found = settings_of(name), {}
    for setting in settings:
        written, sign, text = setting.partition("=")
        key = written.strip().replace("-", "_")
        if not sign or key not in usual:
            more = ("members", "MEMBER.NAME") if name == "ensemble" else ()
            known = ", ".join((*usual, *more)) or "none"
            hint = " The autoencoder has it: add --detector autoencoder." if key in SETTINGS else ""
            raise BadOption(
                f"--set: expected NAME=VALUE with a setting of the detector {name} ({known}); "
                f"received {setting!r}.{hint}"
            )
        like = usual[key]
        try:
            found[key] = _of_kind(text.strip(), like)
        except (KeyError, ValueError) as error:
            raise BadOption(
                f"--set {key}: expected {_kind(like)}, such as {show(like)}; received {text!r}."
            ) from error
    return found


def _of_kind(text: str, like: Any) -> Any:
    """Read a value like another; of several numbers as its first, and `none` where None is the usual."""
    if isinstance(like, tuple):
        return tuple(_of_kind(word.strip(), like[0]) for word in text.split(","))
    if like is None:
        return None if text.lower() == "none" else int(text)
    return _value(text, like, "")


def _read(setting: str, recipe: Recipe) -> tuple[str, Any]:
    written, sign, text = setting.partition("=")
    key = written.strip().replace("-", "_")
    if key in OWN_OPTIONS:
        raise BadOption(f"--set {setting}: give {OWN_OPTIONS[key]} instead.")
    if not sign or key not in SETTINGS:
        raise BadOption(
            f"--set: expected NAME=VALUE with a name out of {', '.join(SETTINGS)}; received {setting!r}."
        )
    like = getattr(recipe, key)
    try:
        return key, _value(text.strip(), like, key)
    except (KeyError, ValueError) as error:
        raise BadOption(
            f"--set {key}: expected {_kind(like)}, such as {show(like)}; received {text!r}."
        ) from (error)


def _value(text: str, like: Any, key: str) -> Any:
    """Read a value of the type that the recipe has there; KeyError or ValueError where it is another."""
    if isinstance(like, bool):
        return TRUTH[text.lower()]
    if isinstance(like, tuple):
        words = [word for word in map(str.strip, text.split(",")) if word not in ("", "none")]
        return tuple(words) if key == "cut" else tuple(int(word) for word in words)
    if isinstance(like, float) and not math.isfinite(float(text)):
        raise ValueError(text)
    return type(like)(text)


def _kind(like: Any) -> str:
    kinds = {bool: "true or false", int: "a whole number", float: "a number", tuple: "values with commas"}
    return kinds.get(type(like), "a word")


def show(value: Any) -> str:
    """Return a value as one would type it after `--set NAME=`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def recipes_explained() -> list[tuple[str, str]]:
    """Return each recipe with what it changes in the one that it is most like.

    >>> dict(recipes_explained())["vae"]
    'autoencoder with variational=true'
    """
    said = {"autoencoder": "what ships; the default", "reference": "the published system"}
    return [(name, said.get(name) or _likeness(recipe)) for name, recipe in RECIPES.items()]


def _likeness(recipe: Recipe) -> str:
    changes = {name: list(_changes(recipe, RECIPES[name])) for name in ("autoencoder", "reference")}
    base = min(changes, key=lambda name: len(changes[name]))
    return f"{base} with {', '.join(changes[base])}"


def _changes(recipe: Recipe, base: Recipe) -> Iterator[str]:
    for item in fields(Recipe):
        value = getattr(recipe, item.name)
        if value != getattr(base, item.name):
            yield f"{item.name}={show(value)}"


def settings_explained() -> list[tuple[str, str]]:
    """Return every setting with its value in the two chief recipes."""
    ours, reference = RECIPES["autoencoder"], RECIPES["reference"]
    rows = ((name, show(getattr(ours, name)), show(getattr(reference, name))) for name in SETTINGS)
    return [(name, mine if mine == other else f"{mine}  (reference: {other})") for name, mine, other in rows]
