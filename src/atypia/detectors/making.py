"""A detector by its name, with settings by theirs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from atypia.detectors.base import Detector
from atypia.errors import BadOption
from atypia.networks.recipe import RECIPES

MEMBERS = ("lesion-simulation", "denoising", "patchcore", "nearest", "atlas")
"""What the ensemble is made of unless told otherwise."""
NOT_SETTINGS = ("encoder", "weights", "threads", "recipe", "members", "graph")


def make_detector(
    name: str,
    *,
    encoder: str = "auto",
    weights: Path | None = None,
    threads: int | None = None,
    settings: Mapping[str, Any] | None = None,
    members: Sequence[str] = MEMBERS,
    of_members: Mapping[str, Mapping[str, Any]] | None = None,
) -> Detector:
    """Return a detector that is ready to be fitted; what it has no use for is left out.

    `of_members` are settings of the ensemble's members, by their names.
    Raises BadOption for a name, a setting or a value that does not exist.
    """
    from atypia.detectors import DETECTORS
    from atypia.detectors.ensemble import Ensemble

    if name not in DETECTORS:
        raise BadOption(f"Expected a detector out of {', '.join(sorted(DETECTORS))}; received {name!r}.")
    settings = dict(settings or {})
    kind: Any = DETECTORS[name]
    taken = inspect.signature(kind).parameters
    if unknown := set(settings) - set(settings_of(name)):
        known = ", ".join(settings_of(name)) or "none"
        raise BadOption(f"The detector {name} has the settings {known}; received {', '.join(unknown)}.")
    if name == Ensemble.name:
        if Ensemble.name in members:
            raise BadOption("An ensemble cannot be a member of one.")
        if len(set(members)) < max(2, len(members)):
            raise BadOption(
                f"Expected two or more different members of an ensemble; "
                f"received {', '.join(members) or 'none'}."
            )
        if strange := set(of_members or {}) - set(members):
            raise BadOption(
                f"Expected settings of {', '.join(members)}; received some of {', '.join(strange)}."
            )
        own = {one: (of_members or {}).get(one) for one in members}
        return Ensemble(
            [
                make_detector(one, encoder=encoder, weights=weights, threads=threads, settings=own[one])
                for one in members
            ],
            **settings,
        )
    common: dict[str, Any] = {"encoder": encoder, "weights": weights, "threads": threads}
    if name == "autoencoder":
        common["recipe"] = replace(RECIPES[name], encoder=encoder)
    detector: Detector = kind(**{key: v for key, v in common.items() if key in taken}, **settings)
    return detector


def settings_of(name: str) -> dict[str, Any]:
    """Return the settings of a detector with what they are by default.

    >>> settings_of("intensity")
    {'smoothing': 3.5, 'percent': 98.0}
    """
    from atypia.detectors import DETECTORS

    parameters = inspect.signature(DETECTORS[name]).parameters
    return {key: value.default for key, value in parameters.items() if key not in NOT_SETTINGS}


def uses_encoder(name: str, members: Sequence[str] = MEMBERS) -> bool:
    """Tell whether a detector, or a member of the ensemble, builds on a pretrained encoder."""
    from atypia.detectors import DETECTORS

    if name == "ensemble":
        return any(uses_encoder(member) for member in members)
    return name == "autoencoder" or "encoder" in inspect.signature(DETECTORS[name]).parameters
