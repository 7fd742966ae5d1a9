"""The way from a Screener to a faster one that says the same."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.detectors import Detector, PreparedSet
from atypia.detectors.batch import batches
from atypia.detectors.subset import Subset
from atypia.errors import BadOption, NotEnoughScans
from atypia.onnx_session import ONNXRUNTIME, demand_runtime
from atypia.optimising.agreement import Agreement
from atypia.optimising.converting import FP32, INT8, PRECISIONS, optimised
from atypia.optimising.graphs import AT_ONCE
from atypia.optimising.healthy import Healthy, kept_aside
from atypia.progress import progress
from atypia.reading.row import Row
from atypia.scratch import Scratch
from atypia.screener import Screener
from atypia.screener.calibration import calibrate
from atypia.screener.judging import Judge
from atypia.screener.prepared_folder import prepare_to_folder

FEWEST = 20
ROUNDS = 5
OPTIMISED = "optimised"
"""Where the provenance tells of it."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Optimised:
    """The optimised Screener, how it agrees with the original on healthy scans, and what was done.

    `learned` counts the healthy scans that were given but had been learned from, and `unreadable` those that
    could not be read; neither were used. `times_as_fast` is of the detector alone, on this machine.
    """

    screener: Screener
    agreement: Agreement
    recalibrated: bool
    learned: int
    unreadable: int
    times_as_fast: float


def optimise(
    screener: Screener,
    healthy: Healthy,
    *,
    runtime: str = ONNXRUNTIME,
    precision: str = INT8,
    recalibrate: bool = False,
) -> Optimised:
    """Return the Screener with its detector's graphs in this precision, to be run by this runtime.

    Only the networks change; banks, scales and the check of fitness stay. The threshold, with the map and
    regions of healthy scans, stays as well, or with `recalibrate` is learned anew from these scans' scores.
    Raises ScoresDiffer where, without it, the scores do not agree (`Agreement`); BadOption where there is
    nothing to do; NotEnoughScans below 20 healthy scans; MissingExtra without the runtime.
    """
    _check(screener, runtime, precision)
    with Scratch() as folder:
        everyone, failed = prepare_to_folder(
            healthy.rows, screener.preparation, Path(folder), label="reading healthy scans", kind=np.float32
        )
        lost = {id(item.source) for item in failed}
        places = [place for place, row in enumerate(healthy.rows) if id(row) not in lost]
        _demand(len(places), len(failed), 0)
        every = _scored(screener.detector, everyone, "scoring as before")
        kept = np.flatnonzero(kept_aside(screener, healthy, places, every))
        _demand(len(kept), len(failed), len(places) - len(kept))
        scans, before = Subset(everyone, kept), every[kept]
        sources = [healthy.rows[places[place]] for place in kept]
        positions = [everyone.positions[place] for place in kept]
        detector = optimised(screener.detector, scans, runtime, precision)
        after = _scored(detector, scans, "scoring as optimised")
        agreement = Agreement.of(
            before,
            after,
            _flagged(screener, before, sources, positions),
            _flagged(screener, after, sources, positions),
        )
        changed = replace(screener, detector=detector)
        if recalibrate:
            changed = _recalibrated(changed, scans, sources, positions)
        else:
            agreement.demand()
        faster = _times_as_fast(screener.detector, detector, scans)
    changed = _recorded(changed, runtime, precision, recalibrate, agreement)
    return Optimised(changed, agreement, recalibrate, len(places) - len(kept), len(failed), faster)


def _recalibrated(
    screener: Screener, scans: Subset, sources: Sequence[Row], positions: Sequence[float | None]
) -> Screener:
    """Return the Screener with the threshold, and the map of healthy scans, of these scans' scores."""
    threshold, healthy_map, scale = calibrate(
        screener.detector,
        scans,
        screener.rule,
        screener.parameter,
        sources=sources,
        strata=screener.strata,
        positions=positions,
        by_position=screener.position_scale_ is not None,
    )
    return replace(screener, threshold_=threshold, healthy_map_=healthy_map, position_scale_=scale)


def _recorded(
    screener: Screener, runtime: str, precision: str, recalibrated: bool, agreement: Agreement
) -> Screener:
    """Return the Screener with what was done to it; what was measured was measured of the original."""
    told = {
        "runtime": runtime,
        "precision": precision,
        "recalibrated": recalibrated,
        **agreement.to_dict(),
        "atypia": version("atypia"),
        "versions": {runtime: version(runtime)},
    }
    records = {name: record for name, record in screener.records.items() if name != "evaluations"}
    return replace(screener, provenance={**screener.provenance, OPTIMISED: told}, records=records)


def _check(screener: Screener, runtime: str, precision: str) -> None:
    if precision not in PRECISIONS:
        raise BadOption(f"Expected a precision out of {', '.join(PRECISIONS)}; received {precision!r}.")
    earlier: dict[str, Any] = screener.provenance.get(OPTIMISED) or {}
    if earlier:
        raise BadOption(
            f"Expected a Screener as 'atypia fit' saved it; received one that is optimised already "
            f"({earlier.get('precision')}, {earlier.get('runtime')}). Give the original."
        )
    if (runtime, precision) == (ONNXRUNTIME, FP32):
        raise BadOption("Nothing to optimise: fp32 by onnxruntime is what every Screener is saved as.")
    if not screener.detector.state().graphs:
        raise BadOption(f"Nothing to optimise: the detector '{screener.detector.name}' runs no network.")
    demand_runtime(runtime)


def _demand(usable: int, unreadable: int, learned: int) -> None:
    if usable < FEWEST:
        raise NotEnoughScans(
            f"Expected at least {FEWEST} usable healthy scans that the Screener has not learned from, "
            f"received {usable} ({unreadable} could not be read, {learned} were learned from). Give those "
            "that were kept aside at the fit, or other healthy ones."
        )


def _scored(detector: Detector, scans: PreparedSet, label: str) -> Floats:
    parts = list(batches(len(scans), AT_ONCE))
    told = progress(parts, total=len(parts), label=label, unit="batch")
    return np.concatenate([detector.score(scans.batch(part)).image for part in told])


def _flagged(
    screener: Screener, scores: Floats, sources: Sequence[Row], positions: Sequence[float | None]
) -> NDArray[np.bool_]:
    """Return which scans the threshold of this Screener flags, compared as in use."""
    assert screener.threshold_ is not None
    judge = Judge(screener.threshold_, False, False, position_scale=screener.position_scale_)
    flags = []
    for score, source, position in zip(scores.tolist(), sources, positions, strict=True):
        value, threshold, _ = judge.compared(source, position, score)
        flags.append(bool(threshold.flags(value)))
    return np.array(flags)


def _times_as_fast(before: Detector, after: Detector, scans: PreparedSet) -> float:
    """Return how many times as fast the second detector is: both in turn, the median of the ratios."""
    batch = scans.batch(np.arange(min(AT_ONCE, len(scans))))
    ratios = []
    for _ in range(ROUNDS):
        seconds = []
        for detector in (before, after):
            started = time.perf_counter()
            detector.score(batch)
            seconds.append(time.perf_counter() - started)
        ratios.append(seconds[0] / seconds[1])
    return float(np.median(ratios))
