"""What it costs to keep what is done: scoring in shards against scoring into plain tables in one go.

    python benchmarks/shards.py MODEL SCANS [--images 2048] [--rounds 5] [--shard 1024] [--heatmaps]

Both are run in turn, round by round, in one process, over the same scans: those of SCANS, again and again if
they are fewer. The plain way is a loop over what the Screener finds that writes rows, and pictures with
--heatmaps, to where they belong as they come. Medians and the ratios of the rounds are told, of the time that
passed and of that of the processor, and whether both wrote the same bytes.

Then what comes on top of the scoring when a table is long, with a Screener that finds at once: seconds for
each count of --rows, and the peak of memory, each in a process of its own.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from atypia.reading.collection import Collection, Row, read_collection
from atypia.reading.rows import read_row
from atypia.scan import Finding, Region
from atypia.screener import Screener
from atypia.screening import Keeping, maker_of, score_to_folder
from atypia.writing.heatmap import write_heatmap
from atypia.writing.regions import RegionsWriter
from atypia.writing.table import FindingsWriter

Run = Callable[[Path], None]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("scans", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shard", type=int, default=1024)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--heatmaps", action="store_true")
    parser.add_argument("--rows", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    screener = Screener.load(asked.model)
    screener.use_threads(asked.threads)
    rows = list(read_collection(asked.scans, root=asked.root))
    if asked.only:
        return _alone(screener, asked.model, rows[0], asked.only, asked.shard)
    scans = _again_and_again(rows, asked.images)
    maker, keeping = maker_of(screener, asked.model), Keeping(asked.shard, threads=asked.threads)

    def plain(out: Path) -> None:
        with FindingsWriter(out / "findings.csv") as table, RegionsWriter(out / "regions.csv") as places:
            found = screener.score(scans, heatmaps=asked.heatmaps)
            for row, finding in zip(scans, found, strict=True):
                table.write(finding)
                places.write(finding)
                if asked.heatmaps and finding.error is None:
                    picture = out / "heatmaps" / f"{row.name.replace('/', '_')}.png"
                    write_heatmap(finding, read_row(row).pixels, picture, scale=screener.heat_scale)

    def sharded(out: Path) -> None:
        score_to_folder(screener, scans, out, "csv", asked.heatmaps, maker=maker, keeping=keeping)

    _compare(plain, sharded, asked.rounds, len(scans))
    for count in asked.rows:
        command = [sys.executable, __file__, str(asked.model), str(asked.scans), "--only", str(count)]
        command += ["--root", str(asked.root)] if asked.root else []
        print(subprocess.run(command, capture_output=True, text=True, check=True).stdout, end="", flush=True)
    return None


def _compare(plain: Run, sharded: Run, rounds: int, count: int) -> None:
    passed: dict[Run, list[float]] = {plain: [], sharded: []}
    worked: dict[Run, list[float]] = {plain: [], sharded: []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):  # the first is not counted
            for run in (plain, sharded) if number % 2 else (sharded, plain):
                start, work = time.perf_counter(), time.process_time()
                run(Path(folder, f"{run.__name__}-{number}"))
                if number:
                    passed[run].append(time.perf_counter() - start)
                    worked[run].append(time.process_time() - work)
        one, other = (Path(folder, f"{run.__name__}-0") for run in (plain, sharded))
        same = all((one / name).read_bytes() == (other / name).read_bytes() for name in _TABLES)
    print(f"{count} scans, {rounds} rounds, medians; tables the same: {'yes' if same else 'NO'}")
    for label, times in (("time", passed), ("processor", worked)):
        ratios = [a / b for a, b in zip(times[sharded], times[plain], strict=True)]
        print(
            f"{label:10} plain {statistics.median(times[plain]):7.2f} s, shards "
            f"{statistics.median(times[sharded]):7.2f} s, ratio {statistics.median(ratios):.3f} "
            f"({min(ratios):.3f} to {max(ratios):.3f})"
        )


_TABLES = ("findings.csv", "regions.csv")


def _again_and_again(rows: list[Row], count: int) -> Collection:
    again = (replace(rows[n % len(rows)], name=f"{n}/{rows[n % len(rows)].name}") for n in range(count))
    return Collection(tuple(again), "benchmark")


class _AtOnce(Screener):
    """Finds the same in every scan without looking at it."""

    def score(self, scans: Collection, **_: object) -> Iterator[Finding]:  # type: ignore[override]
        region = Region(9, 1.5, 1.25, 0.01, (12.5, 7.5), (10, 5, 15, 10))
        for row in scans:
            yield Finding(row.name, 0.123456789, 0.04, False, 2.5, regions=(region,))


def _alone(screener: Screener, model: Path, row: Row, count: int, shard: int) -> None:
    at_once = _AtOnce(**{name: getattr(screener, name) for name in screener.__dataclass_fields__})
    scans = _again_and_again([row], count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        score_to_folder(at_once, scans, Path(folder), maker=maker_of(screener, model), keeping=Keeping(shard))
        passed = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    print(
        f"{count:7} rows: {passed:6.2f} s, {1e6 * passed / count:5.0f} us a row; "
        f"peak {peak * unit / 2**20:5.0f} MiB, {(peak - before) * unit / 2**20:4.0f} more than before"
    )


if __name__ == "__main__":
    main()
