"""Where the time of a fit goes, phase by phase: the time that passed and that of all processors.

    python benchmarks/fit_phases.py TABLE --root FOLDER [--scans 300] [--set NAME=VALUE ...]

It does what `atypia fit TABLE` does with the default detector, in a folder for features of its own, so that
nothing was encoded before. Each phase is without those inside it. Rows of the splits `test` and `tumor_test`
are left out. Processor time is that of the process and of those that it started and waited for.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from atypia.cli.choice import FitChoice
from atypia.cli.fit_scans import refuse_leaks
from atypia.copies import grouping
from atypia.detectors import Detector, Ensemble, ensemble, lesion_simulation, restoring
from atypia.detectors.encoded_healthy import EncodedHealthy
from atypia.detectors.lesion_simulation import LesionSimulation
from atypia.detectors.making import MEMBERS
from atypia.fitness import Fitness
from atypia.reading.collection import Collection, read_collection
from atypia.recognition.mixture import mixed_note
from atypia.screener import screener

Times = tuple[float, float]


class Phases:
    """Time of each phase, passed and on processors, that of the phases inside it taken off."""

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        self._inside: list[Times] = []

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what is done meanwhile for this phase."""
        self._inside.append((0.0, 0.0))
        start = _now()
        try:
            yield
        finally:
            end, inside = _now(), self._inside.pop()
            own = self.spent[name]
            for place in range(2):
                own[place] += end[place] - start[place] - inside[place]
            own[2] += 1
            if self._inside:
                outer = self._inside[-1]
                self._inside[-1] = (outer[0] + end[0] - start[0], outer[1] + end[1] - start[1])

    def round(self, work: Callable[..., Any], name: str | Callable[..., str]) -> Callable[..., Any]:
        """Return the same function, counted; the name may depend on what it is called with."""

        def timed(*given: Any, **named: Any) -> Any:
            with self.phase(name if isinstance(name, str) else name(*given)):
                return work(*given, **named)

        return timed


def _now() -> Times:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--scans", type=int, help="so many rows, spread over the table; default: all")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--detector", default="ensemble")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--one-process", action="store_true", help="train one network after the other")
    parser.add_argument("--save", type=Path, help="keep the Screener here")
    asked = parser.parse_args()
    collection = _some(read_collection(asked.table, root=asked.root), asked.scans)
    choice = FitChoice(
        asked.detector, None, tuple(asked.settings), None, None, "efficientnet-lite0", None,
        "mean+std", None, 224, None, None,
    )  # fmt: skip
    phases = Phases()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ATYPIA_CACHE"] = str(Path(folder) / "cache")
        with _counted(phases), phases.phase("all else"):
            refuse_leaks(collection, allow=True)
            fitted = choice.screener()
            with phases.phase("looking for a mixture"):
                mixed_note(collection, asked.seed)
            fitted.fit(
                collection, seed=asked.seed, work=Path(folder) / "work", processes=not asked.one_process
            )
            with phases.phase("saving"):
                fitted.save(asked.save or Path(folder) / "out.atypia")
    _tell(phases.spent, len(collection))


def _some(collection: Collection, count: int | None) -> Collection:
    asked = (None, "train", "threshold")
    rows = [row for row in collection if row.split in asked and row.label != "abnormal"]
    step = 1 if count is None else max(1, len(rows) // count)
    return replace(collection, rows=tuple(rows[::step]))


@contextmanager
def _counted(phases: Phases) -> Iterator[None]:
    places: list[tuple[Any, str, str | Callable[..., str]]] = [
        (screener, "prepare_to_folder", "reading and preparation"),
        (screener, "calibrate", "calibration"),
        (screener, "fingerprints", "fingerprints of files"),
        (Fitness, "learn", "fitness"),
        (grouping, "near_copies", "near-copies"),
        (EncodedHealthy, "of", "encoding"),
        (LesionSimulation, "_expected", "lesion-simulation: what the atlas expects"),
        (lesion_simulation, "train", "lesion-simulation: training"),
        (lesion_simulation, "to_onnx", "lesion-simulation: export"),
        (restoring, "train", "denoising: training"),
        (restoring, "to_onnx", "denoising: export"),
        (Ensemble, "_calibrate", "ensemble: scales"),
        (ensemble, "try_members", "ensemble: trials"),
    ]
    from atypia.detectors import DETECTORS

    places += [(DETECTORS[name], "fit", _of_fit) for name in MEMBERS]
    places += [(Ensemble, "_fit_members", "members in processes of their own")]
    with ExitStack() as patched:
        for owner, name, phase in places:
            if hasattr(owner, name):
                patched.enter_context(patch.object(owner, name, phases.round(getattr(owner, name), phase)))
        yield


def _of_fit(detector: Detector, *_: object) -> str:
    return f"{detector.name}: all else of its fit"


def _tell(spent: dict[str, list[float]], count: int) -> None:
    passed, worked = (sum(own[place] for own in spent.values()) for place in range(2))
    print(f"{count} scans\n| phase | passed, s | processors, s | share of these |\n|---|---|---|---|")
    for name, own in sorted(spent.items(), key=lambda item: -item[1][1]):
        print(f"| {name} | {own[0]:.1f} | {own[1]:.1f} | {own[1] / worked:.3f} |")
    print(f"| together | {passed:.1f} | {worked:.1f} | 1 |", flush=True)


if __name__ == "__main__":
    main()
