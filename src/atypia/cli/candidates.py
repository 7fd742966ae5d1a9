"""Detectors with settings as one types them, NAME[@ENCODER] [NAME=VALUE ...], and what they are called."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from atypia.cli.choice import AUTOENCODER, FitChoice
from atypia.cli.choice import NAMES as DETECTORS
from atypia.errors import BadOption, MissingExtra, WeightsError
from atypia.networks.recipe import RECIPES

if TYPE_CHECKING:
    from atypia.comparison import Contestant

NAMES = tuple(dict.fromkeys((*DETECTORS, *RECIPES)))
EXPLAINED = [
    *DETECTORS.items(),
    *(
        (name, f"the detector {AUTOENCODER} after the recipe {name}")
        for name in RECIPES
        if name != AUTOENCODER
    ),
    ("NAME@ENCODER", "the same on another encoder than --encoder names"),
]
LONGEST = 100

tries = click.option(
    "--try",
    "tries",
    multiple=True,
    metavar='"NAME [X=Y ...]"',
    help="A detector with settings of its own, as fit takes them with --set; may be given again, also with "
    "other settings of the same detector. Alone it takes the place of the default of --detectors.",
)


def named(detectors: str) -> list[str]:
    """Return names with commas between them; raise BadOption unless they are known and different."""
    names = [name.strip() for name in detectors.split(",") if name.strip()]
    unknown = [name for name in names if name.partition("@")[0] not in NAMES]
    if not names or unknown or len(set(names)) < len(names):
        raise BadOption(
            f"--detectors: expected different names out of {', '.join(NAMES)}, with commas between them; "
            f"received {detectors!r}."
        )
    return names


def asked_for(detectors: str, tries: Sequence[str]) -> list[str]:
    """Return what is asked for by both options; the default of --detectors gives way to --try."""
    source = click.get_current_context().get_parameter_source("detectors")
    usual = source is click.core.ParameterSource.DEFAULT
    return [*([] if usual and tries else named(detectors)), *tries]


def contestants_of(specs: Sequence[str], common: FitChoice, epochs: int | None = None) -> list[Contestant]:
    """Return a contestant for each detector with its settings; `common` is what all share.

    Raises BadOption for a name, a setting or a value that does not exist, and for two that are the same.
    """
    found: dict[str, str] = {}
    contestants = []
    for spec in specs:
        contestant = _contestant(spec, common, epochs)
        key = " ".join(_sorted(spec))
        twin = found.get(key) or found.get(contestant.name)
        if twin is not None:
            raise BadOption(
                f"--try, --detectors: expected different detectors; {twin!r} and {spec!r} are one."
            )
        found |= {key: spec, contestant.name: spec}
        contestants.append(contestant)
    return contestants


def _contestant(spec: str, common: FitChoice, epochs: int | None) -> Contestant:
    from atypia.comparison import Contestant

    name, typed = _words(spec)
    plain, _, encoder = name.partition("@")
    if plain not in NAMES:
        raise BadOption(f"--try {spec!r}: expected a detector out of {', '.join(NAMES)}; received {plain!r}.")
    choice = replace(common, encoder=encoder or common.encoder)
    own: dict[str, Any] = {}
    settings = typed
    if plain in RECIPES:
        own, settings = _own_options(spec, typed)
        choice = replace(choice, detector=AUTOENCODER, recipe=plain, **{"epochs": epochs, **own})
    else:
        choice = replace(choice, detector=plain)
    choice = replace(choice, settings=tuple(settings))
    _check(spec, choice)
    kept = {key: value for key, value in asdict(choice).items() if key not in ("threads", "resume")}
    kept |= {"encoder": choice.resolved_encoder, "weights": choice.weights and choice.weights.name}
    return Contestant(file_safe(" ".join([name, *typed])), choice.screener, kept)


def _words(spec: str) -> tuple[str, list[str]]:
    try:
        name, *settings = shlex.split(spec)
    except ValueError as error:
        raise BadOption(
            f"--try {spec!r}: expected NAME[@ENCODER], and perhaps settings NAME=VALUE, with spaces between "
            "them."
        ) from error
    return name, settings


def _own_options(spec: str, settings: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Take out of the settings those of the autoencoder that `fit` has options for."""
    kinds = {"epochs": int, "learning_rate": float}
    own: dict[str, Any] = {}
    others = []
    for setting in settings:
        key, sign, text = setting.partition("=")
        kind = kinds.get(key.replace("-", "_"))
        if kind is None or not sign:
            others.append(setting)
            continue
        try:
            own[key.replace("-", "_")] = value = kind(text)
        except ValueError:
            value = 0
        if not value > 0:
            raise BadOption(f"--try {spec!r}: {key}: expected a number above 0; received {text!r}.")
    return own, others


def _check(spec: str, choice: FitChoice) -> None:
    """Make the Screener once, so that what is wrong is told before anything runs.

    What is missing on this machine costs the row of the one that needs it.
    """
    try:
        choice.screener()
    except (MissingExtra, WeightsError):
        return
    except BadOption as error:
        if not choice.settings:
            raise
        told = re.sub(r"^--set:? ", "", str(error))
        raise BadOption(f"--try {spec!r}: {told}") from error


def _sorted(spec: str) -> list[str]:
    name, settings = _words(spec)
    return [name, *sorted(settings)]


def file_safe(name: str) -> str:
    """Return a readable name that a folder can have.

    >>> file_safe("patchcore@resnet50 scales=3"), file_safe("ensemble members=atlas,nearest")
    ('patchcore-on-resnet50-scales=3', 'ensemble-members=atlas,nearest')
    """
    safe = re.sub(r"[^\w.,=+-]", "-", name.replace("@", "-on-"))
    if len(safe) <= LONGEST:
        return safe
    return f"{safe[: LONGEST - 9]}-{hashlib.sha256(safe.encode()).hexdigest()[:8]}"
