"""Where the time of a verdict goes, stage by stage, and how near decode to verdict comes to the network.

    python benchmarks/where_time_goes.py MODEL [MODEL ...] --scans FOLDER [--images 64] [--rounds 5]

First table: processor time a scan of each stage, each without those inside it, in milliseconds, on one thread
so that the thread's own clock sees all of it. Then, round by round in one process with `--threads`, the whole
of decode to verdict against the runs of the same graphs on the same arrays alone, in as many threads: medians
of wall time and their ratio, and of processor time. With `--heatmaps` maps are carried to the input and
written as pictures.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import onnxruntime

from atypia import loading
from atypia.detectors import DETECTORS
from atypia.detectors.healthy_atlas import HealthyAtlas
from atypia.detectors.patch_bank import PatchBank
from atypia.fitness import look
from atypia.in_order import queued, threads
from atypia.onnx_session.by_openvino import OpenVinoSession
from atypia.preparation import Geometry, Preparation
from atypia.processors import shared
from atypia.reading.collection import Row, read_collection
from atypia.reading.rows import read_row
from atypia.screener import Screener
from atypia.screener import screener as scoring
from atypia.screener.healthy_map import HealthyMap
from atypia.screener.judging import Judge
from atypia.writing.heatmap import write_heatmap
from atypia.writing.regions import RegionsWriter
from atypia.writing.table import FindingsWriter

Run = Callable[[], object]


class Clock:
    """The processor time of each stage in its own thread, that of the stages inside it taken off."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inside = threading.local()
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what is done meanwhile for this stage."""
        outer = getattr(self._inside, "taken", 0.0)
        self._inside.taken, start = 0.0, time.thread_time()
        try:
            yield
        finally:
            passed = time.thread_time() - start
            with self._lock:
                self.spent[name] += passed - self._inside.taken
            self._inside.taken = outer + passed

    def round(self, work: Callable[..., Any], name: str | Callable[..., str]) -> Callable[..., Any]:
        """Return the same function, counted; the name may depend on what it is called with."""

        def timed(*given: Any, **named: Any) -> Any:
            with self.stage(name if isinstance(name, str) else name(*given)):
                return work(*given, **named)

        return timed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--scans", type=Path, required=True, help="a folder or a table")
    parser.add_argument("--root", type=Path)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--heatmaps", action="store_true")
    asked = parser.parse_args()
    found = read_collection(asked.scans, root=asked.root).rows
    rows = [row for row in found if row.split not in ("test", "tumor_test")]
    rows = rows[:: max(1, len(rows) // asked.images)][: asked.images]
    for model in asked.models:
        screener = Screener.load(model)
        print(f"\n{model} ({screener.detector.name}), {len(rows)} scans")
        screener.use_threads(1)
        _tell(_stages(screener, rows, asked.heatmaps), len(rows))
        screener.use_threads(asked.threads)
        _against_network(screener, rows, asked.rounds, asked.heatmaps)


def _stages(screener: Screener, rows: list[Row], heatmaps: bool) -> dict[str, float]:
    _whole(screener, rows[:16], heatmaps)
    clock = Clock()
    network = "network runs"
    places: list[tuple[Any, str, str | Callable[..., str]]] = [
        (loading, "read_row", "reading"),
        (Preparation, "__call__", "preparation"),
        (scoring, "reasons", "fitness, without its network"),
        (look, "_noise", "fitness, noise"),
        (onnxruntime.InferenceSession, "run", network),
        (OpenVinoSession, "run", network),
        (HealthyAtlas, "expect", "atlas"),
        (PatchBank, "nearest", "neighbours"),
        (Judge, "_judged", "judging, the rest"),
        (HealthyMap, "find", "regions"),
        (Geometry, "to_input", "maps to the input"),
        (FindingsWriter, "write", "writing"),
        (RegionsWriter, "write", "writing"),
    ]
    kinds = {kind for kind in DETECTORS.values() if "score" in vars(kind)}
    places += [(kind, "score", lambda own, *_: f"detector {own.name}, the rest") for kind in kinds]
    with ExitStack() as patched:
        for owner, name, stage in places:
            patched.enter_context(patch.object(owner, name, clock.round(getattr(owner, name), stage)))
        with clock.stage("everything else"):
            _whole(screener, rows, heatmaps)
    return clock.spent


def _tell(spent: dict[str, float], count: int) -> None:
    total = sum(spent.values())
    print("| stage | ms a scan | share |\n|---|---|---|")
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"| {name} | {1000 * seconds / count:.2f} | {seconds / total:.3f} |")
    print(f"| together | {1000 * total / count:.2f} | 1 |", flush=True)


def _against_network(screener: Screener, rows: list[Row], rounds: int, heatmaps: bool) -> None:
    calls, workers = _overheard(screener, rows), shared(screener.threads_).workers

    def network() -> None:
        with threads(workers) as pool:
            for _ in queued(lambda call: call[0].run(*call[1:]), calls, pool, ahead=2 * workers):
                pass

    passed: dict[str, list[float]] = defaultdict(list)
    worked: dict[str, list[float]] = defaultdict(list)
    runs: dict[str, Run] = {"whole": lambda: _whole(screener, rows, heatmaps), "network": network}
    for number in range(rounds + 1):  # the first is not counted
        for name in list(runs)[:: 1 if number % 2 else -1]:
            start, work = time.perf_counter(), time.process_time()
            runs[name]()
            if number:
                passed[name].append(time.perf_counter() - start)
                worked[name].append(time.process_time() - work)
    for label, times in (("wall", passed), ("processor", worked)):
        ratio = statistics.median(a / b for a, b in zip(times["network"], times["whole"], strict=True))
        each = {name: 1000 * statistics.median(times[name]) / len(rows) for name in runs}
        print(
            f"{label} time a scan: whole {each['whole']:.2f} ms, network alone {each['network']:.2f} ms; "
            f"network / whole {ratio:.3f}",
            flush=True,
        )


def _overheard(screener: Screener, rows: list[Row]) -> list[tuple[Any, Any, dict[str, Any]]]:
    """Return each run of a graph while these are scored: session, outputs asked for, arrays fed."""
    calls: list[tuple[Any, Any, dict[str, Any]]] = []
    usual = onnxruntime.InferenceSession.run

    def run(session: Any, names: Any, feed: dict[str, Any], *given: Any) -> Any:
        calls.append((session, names, dict(feed)))
        return usual(session, names, feed, *given)

    with patch.object(onnxruntime.InferenceSession, "run", run):
        _whole(screener, rows, heatmaps=False)
    return calls


def _whole(screener: Screener, rows: list[Row], heatmaps: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        with FindingsWriter(out / "findings.csv") as table, RegionsWriter(out / "regions.csv") as places:
            for number, finding in enumerate(screener.score(rows, heatmaps=heatmaps)):
                table.write(finding)
                places.write(finding)
                if heatmaps and finding.error is None:
                    pixels = read_row(rows[number]).pixels
                    write_heatmap(finding, pixels, out / f"{number}.png", scale=screener.heat_scale)


if __name__ == "__main__":
    main()
