"""When monitor tells of a real change of the scans, and whether it tells of one where there is none.

    python benchmarks/drift.py HOME AWAY --root DIR -o OUT [--splits 10] [--home axial] [--away coronal]

Healthy rows of both tables are used that are not for the test. Those of HOME are parted anew by group, so
many times: a detector is fitted to some, calibrated on others, and the rest, in random order, is a stream
without a change; so it is in further orders. The same stream with the healthy rows of AWAY after it is one
with a change. --learn takes the rows of HOME of one kind (or plane) alone, --home those of the stream without
a change, --away those after it; --strata gives each plane its own threshold. A stream is tested scan by scan
and, where HOME names groups, with one scan of each. OUT keeps the Screeners and the tables of findings, to
draw with the monitor.
"""

from __future__ import annotations

import argparse
from array import array
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from atypia.detectors import DETECTORS, Nearest
from atypia.monitoring.monitor import ALL, Settings, Watch, watch
from atypia.monitoring.stream import one_of_each, read_streams
from atypia.reading.collection import Collection, Row, read_collection
from atypia.screener import Screener
from atypia.screening import score_to_folder

PREVALENCES = (None, 0.0)


@dataclass(frozen=True)
class Parts:
    """The rows of one re-split."""

    learned: tuple[Row, ...]
    aside: tuple[Row, ...]
    stream: tuple[Row, ...]


def healthy(table: Path, root: Path | None, kind: str | None) -> list[Row]:
    rows = (row for row in read_collection(table, root=root) if row.label == "normal" and row.split != "test")
    named = (replace(row, plane=row.plane or plane_of(row.kind)) for row in rows)
    return [row for row in named if kind in (None, row.kind, row.plane)]


def plane_of(kind: str | None) -> str | None:
    return kind if kind in ("axial", "coronal", "sagittal") else None


def part(rows: Sequence[Row], shares: tuple[float, float], rng: np.random.Generator) -> Parts:
    """Part rows by group, then put the stream into a random order."""
    names = sorted({row.group or row.name for row in rows})
    rng.shuffle(names)
    ends = np.cumsum([round(share * len(names)) for share in shares])
    places = {name: int(np.searchsorted(ends, place, side="right")) for place, name in enumerate(names)}
    parts: list[list[Row]] = [[], [], []]
    for row in rows:
        parts[places[row.group or row.name]].append(row)
    order = rng.permutation(len(parts[2]))
    return Parts(tuple(parts[0]), tuple(parts[1]), tuple(parts[2][place] for place in order))


def fitted(parts: Parts, asked: argparse.Namespace) -> Screener:
    detector = Nearest("efficientnet-lite0") if asked.detector == "nearest" else DETECTORS[asked.detector]()
    chosen = ("plane",) if asked.strata else ()
    screener = Screener(detector, rule="conformal", parameter=asked.fpr, strata=chosen)

    def ready(rows: tuple[Row, ...], split: str) -> list[Row]:
        return [replace(row, split=split) for row in rows]

    rows = (*ready(parts.learned, "train"), *ready(parts.aside, "threshold"))
    return screener.fit(Collection(rows, "home"))


def first_alarm(seen: Watch) -> int | None:
    alarms = [alarm for stratum in seen.strata for alarm in stratum.alarms]
    alarms += [seen.unfit_alarm] if seen.unfit_alarm else []
    return min((alarm.row for alarm in alarms), default=None)


def checks(seen: Watch) -> set[str]:
    found = {alarm.check for stratum in seen.strata for alarm in stratum.alarms}
    return found | ({"unfit"} if seen.unfit_alarm else set())


@dataclass(frozen=True)
class Outcome:
    """What one stream without a change, of `quiet` scans, and the same with one gave."""

    still: int | None
    after: int | None
    quiet: int
    checks: set[str]
    shuffled: int


def scored(
    number: int, home: list[Row], away: list[Row], asked: argparse.Namespace
) -> tuple[Screener, list[Row]]:
    """Fit and score one re-split, or read what is kept of it; return the Screener and the quiet rows."""
    rng = np.random.default_rng(number)
    parts = part(home, tuple(asked.shares), rng)
    quiet = [row for row in parts.stream if asked.home in (None, row.kind, row.plane)]
    taken = {row.name for row in (*parts.learned, *parts.aside, *quiet)}
    changed = [away[place] for place in rng.permutation(len(away)) if away[place].name not in taken]
    file = asked.out / str(number) / "brain.atypia"
    if file.exists():
        return Screener.load(file), quiet
    screener = fitted(parts, asked)
    for folder, rows in zip(folders(number, asked), (quiet, changed), strict=True):
        folder.mkdir(parents=True, exist_ok=True)
        score_to_folder(screener, Collection(tuple(rows), folder.name), folder, "csv", False, asked.judge_all)
    screener.save(file)
    return screener, quiet


def still_in_order(seen: Watch, seed: int) -> bool:
    """Tell whether the p-values of a stream raise an alarm in another random order."""
    rng, streams = np.random.default_rng(seed), deepcopy(seen.streams)
    for stream in streams.by_stratum.values():
        stream.p_values = array("d", rng.permutation(stream.values()))
    sizes = {None if stratum.name == ALL else stratum.name: stratum.size for stratum in seen.strata}
    return watch(streams, seen.settings, sizes.__getitem__).alarmed


def folders(number: int, asked: argparse.Namespace) -> list[Path]:
    return [asked.out / str(number) / name for name in ("quiet", "changed")]


def watched(screener: Screener, tables: list[Path], kept: frozenset[str] | None, settings: Settings) -> Watch:
    threshold = screener.threshold_
    assert threshold is not None

    def size(stratum: str | None) -> int:
        return threshold.parts.get(stratum or "", threshold).calibration.group_count

    return watch(read_streams(tables, kept), settings, size, screener.refused)


def main() -> None:
    asked = arguments()
    home = healthy(asked.home_table, asked.root, asked.learn)
    away = healthy(asked.away_table, asked.root, asked.away)
    groups = one_of_each((row.name, row.group) for row in (*home, *away))
    ways = {"each scan": None} | (
        {"one of each group": groups} if len(groups) < len({row.name for row in (*home, *away)}) else {}
    )
    counted: dict[tuple[str, float | None], list[Outcome]] = {}
    unfit = []
    for number in range(asked.splits):
        screener, quiet = scored(number, home, away, asked)
        tables = [folder / "findings.csv" for folder in folders(number, asked)]
        for way, kept in ways.items():
            for prevalence in PREVALENCES:
                settings = Settings(window=asked.window, prevalence=prevalence)
                still = watched(screener, tables[:1], kept, settings)
                after = watched(screener, tables, kept, settings)
                alarms = sum(still_in_order(still, order) for order in range(asked.shuffles))
                outcome = Outcome(first_alarm(still), first_alarm(after), len(quiet), checks(after), alarms)
                counted.setdefault((way, prevalence), []).append(outcome)
        rows, away_rows = len(quiet), after.streams.rows - len(quiet)
        both = still.streams.unfit, after.streams.unfit - still.streams.unfit
        unfit.append((both[0] / max(rows, 1), both[1] / max(away_rows, 1)))
    print(f"{len(home)} rows at home, {len(away)} away; the last stream: {rows} quiet, then {away_rows}")
    quiet_share, changed_share = np.mean(unfit, axis=0)
    print(f"unfit to be judged: {quiet_share:.3f} of the quiet, {changed_share:.3f} of the changed")
    columns = ("tested", "prevalence", "alarms in other orders", "without a change", "with it")
    print(f"| {' | '.join(columns)} | scans after it: median, range | by |")
    print("|---|---|---|---|---|---|---|")
    for (way, prevalence), found in counted.items():
        print(line(way, prevalence, found))


def line(way: str, prevalence: float | None, found: list[Outcome]) -> str:
    false = sum(one.still is not None for one in found)
    late = [one.after - one.quiet + 1 for one in found if one.after is not None and one.after >= one.quiet]
    told = f"{np.median(late):.0f}, {min(late)} to {max(late)}" if late else "none"
    by = ", ".join(sorted(set().union(*(one.checks for one in found))))
    stated = "not stated" if prevalence is None else prevalence
    counts = f"{false} of {len(found)} | {len(late)} of {len(found)}"
    orders = sum(one.shuffled for one in found)
    return f"| {way} | {stated} | {orders} | {counts} | {told} | {by} |"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("home_table", type=Path)
    parser.add_argument("away_table", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--home")
    parser.add_argument("--away")
    parser.add_argument("--learn")
    parser.add_argument("--strata", action="store_true")
    parser.add_argument("--detector", default="nearest")
    parser.add_argument("--shares", type=float, nargs=2, default=(0.4, 0.35), help="to learn, to calibrate")
    parser.add_argument("--fpr", type=float, default=0.1)
    parser.add_argument("--window", type=int, default=50)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--shuffles", type=int, default=50, help="further orders of each quiet stream")
    parser.add_argument("--judge-all", action="store_true", help="score what looks unlike all learned from")
    parser.add_argument("-o", "--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
