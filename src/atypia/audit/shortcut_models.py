"""How well small trees on many numbers together tell two sets of scans apart, cross-validated by group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atypia.audit.shortcut import Shortcut, areas, best_first, enough
from atypia.audit.trees import MOST, drawn_units, out_of_fold
from atypia.progress import progress
from atypia.scalars import GROUPS, Measured

Floats = NDArray[np.float64]

MODELS: Final[dict[str, str]] = {
    "file": "small trees on all that is known of the file: size, quality, format, colour mode",
    "outside": "small trees on an 8x8 picture of what lies around the head, and its numbers",
    "intensity": "small trees on the statistics of the greys alone",
    "together": "small trees on all the numbers together",
}


def of_models(
    measured: Measured, truth: NDArray[np.bool_], units: NDArray[np.intp], title: str, seed: int
) -> tuple[Shortcut, ...]:
    """Measure the trees on up to 8000 scans, `truth` (N,) being the side of each; nothing where too few are.

    `units` (N,) are held out together, and `title` says on the bar what is told apart.
    """
    chosen = drawn_units(units, MOST, seed=seed)
    truth, units = truth[chosen], units[chosen]
    if not enough(truth, units):
        return ()
    features = {name: values[chosen] for name, values in _features(measured).items()}
    bar = progress(
        features.items(), total=len(features), label=f"telling {title.lower()} apart", unit="model"
    )
    scores = {name: out_of_fold(values, truth, units, seed=seed) for name, values in bar}
    found = areas(scores, truth, units, seed=seed)
    counts = int((~truth).sum()), int(truth.sum())
    return best_first(
        [
            Shortcut(name, name, MODELS[name], area, interval, None, *counts)
            for name, (area, interval) in found.items()
        ]
    )


def _features(measured: Measured) -> Mapping[str, Floats]:
    def columns(*groups: str) -> Floats:
        return np.stack([measured.column(name) for group in groups for name in GROUPS[group]], axis=1)

    features = {"file": columns("file"), "intensity": columns("intensity"), "together": columns(*GROUPS)}
    if measured.outside is not None:
        features["outside"] = np.concatenate([_pooled(measured.outside), columns("frame")], axis=1)
    return features


def _pooled(outside: NDArray[np.uint8]) -> Floats:
    """Return thumbnails with the head painted over (N, 32, 32) as (N, 64) means around it; -1 in the head."""
    blocks = outside.reshape(len(outside), 8, 4, 8, 4)
    around = blocks < 255
    counts = around.sum(axis=(2, 4))
    sums = (blocks * around).sum(axis=(2, 4), dtype=np.float64)
    values = np.divide(sums, counts, out=np.full(sums.shape, -1.0), where=counts > 0)
    return np.asarray(values.reshape(len(values), -1))
