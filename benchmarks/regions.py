"""Regions of heat maps: how many healthy scans have any, and how many lesions are hit.

    python benchmarks/regions.py HEALTHY [--lesions TABLE] [--root FOLDER] [--encoder NAME] [--weights FILE]

HEALTHY is a table of normal scans, by default its splits train and threshold; the table of lesions has
abnormal scans with masks. Groups (patients) are dealt into two halves. The detector `nearest` learns from
one, then the other is dealt again and again into a calibration and a held-out part, whole groups together;
then the halves change places. Lesions are counted only where their group was neither learned from nor
calibrated on. Four ways to decide are compared on the same pieces of the same maps:

    shipped   Benjamini-Hochberg adjusted p-values of pieces, placed among the lowest of each healthy scan
    BH        the same p-values against the pieces of all healthy scans, adjusted, and no more
    largest   each piece against the largest of each healthy scan (maximum statistic)
    whole     as shipped, but with what is usual in the head as a whole instead of by depth
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.detectors import Nearest
from atypia.loading import in_batches, load
from atypia.preparation import Preparation
from atypia.reading.collection import Collection, Row, read_collection
from atypia.reading.picture import read_mask
from atypia.scan import Image, Mask
from atypia.screener import Screener, healthy_depths
from atypia.screener.healthy_depths import HealthyDepths
from atypia.screener.healthy_regions import HealthyRegions, adjusted
from atypia.screener.map_calibration import MapCalibration
from atypia.screener.rank_table import RankTable
from atypia.screener.regions import Pieces

SHARES = (0.05, 0.01)


@dataclass(frozen=True, eq=False)
class Scored:
    """A map with its head and, of a lesion, the mask on the canvas."""

    group: str
    heat: Image
    head: Mask
    lesion: Mask | None


@dataclass
class Count:
    """What came of one way to decide."""

    regions: list[int] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    hit: list[bool] = field(default_factory=list)
    overlap: list[bool] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    inside: int = 0
    area: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("healthy", type=Path)
    parser.add_argument("--lesions", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--splits", default="train,threshold")
    parser.add_argument("--encoder", default="efficientnet-lite0")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--share", type=float, default=0.10, help="the share of healthy scans asked for")
    parser.add_argument("--resplits", type=int, default=20)
    parser.add_argument("--calibration", type=int, help="at most so many calibration scans")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--level", type=float, default=healthy_depths.LEVEL, help="what stands out")
    asked = parser.parse_args()
    healthy_depths.LEVEL = asked.level
    wanted = set(asked.splits.split(","))
    healthy = [row for row in read_collection(asked.healthy, root=asked.root) if row.split in wanted]
    healthy = [row for row in healthy if row.label == "normal"]
    ill = list(read_collection(asked.lesions, root=asked.root)) if asked.lesions else []
    ill = [row for row in ill if row.label == "abnormal" and row.mask is not None]
    rng = np.random.default_rng(asked.seed)
    groups = sorted({str(row.group) for row in healthy})
    rng.shuffle(groups)
    counts: dict[str, Count] = defaultdict(Count)
    pixels: dict[float, list[float]] = defaultdict(list)
    times: list[float] = []
    for half in (0, 1):
        mine = set(groups[half::2])
        screener = fitted([row for row in healthy if str(row.group) in mine], asked.encoder, asked.weights)
        rest = [row for row in [*healthy, *ill] if str(row.group) not in mine]
        scored = list(maps(screener, rest))
        for _ in range(asked.resplits):
            measure(scored, rng, asked.share, asked.calibration, counts, pixels, times)
    report(asked.share, counts, pixels, times)


def fitted(rows: Sequence[Row], encoder: str, weights: Path | None) -> Screener:
    """Fit; the calibration is of no interest here."""
    detector = Nearest(encoder, weights)
    learned, calibration = Collection(tuple(rows), "learned"), Collection(tuple(rows[:20]), "aside")
    return Screener(detector, Preparation()).fit(learned, calibration=calibration)


def maps(screener: Screener, rows: Sequence[Row]) -> Iterator[Scored]:
    """Yield the map of each scan that could be read."""
    by_name = {row.name: row for row in rows}
    for part, batch in in_batches(load(rows, screener.preparation), 16):
        good = [item for item in part if item.prepared is not None]
        if batch is None:
            continue
        heats = screener.detector.score(batch).map
        for item, heat, head in zip(good, heats, batch.foreground, strict=True):
            row = by_name[item.name]
            lesion = None
            if row.label == "abnormal" and row.mask is not None and item.prepared is not None:
                mask = read_mask(row.mask).astype(np.float32)
                lesion = item.prepared.geometry.to_prepared(mask) > 0.5
            yield Scored(str(row.group), heat, head, lesion)


def measure(
    scored: Sequence[Scored],
    rng: np.random.Generator,
    share: float,
    most: int | None,
    counts: dict[str, Count],
    pixels: dict[float, list[float]],
    times: list[float],
) -> None:
    """Deal the groups into calibration and held-out, and count what is told of those held out."""
    groups = sorted({scan.group for scan in scored if scan.lesion is None})
    chosen = set(rng.permutation(groups)[: len(groups) // 2].tolist())
    aside = [scan for scan in scored if scan.lesion is None and scan.group in chosen]
    aside = [aside[place] for place in sorted(rng.permutation(len(aside))[:most])]
    held_out = [scan for scan in scored if scan.group not in chosen]
    with MapCalibration() as calibration:
        for scan in aside:
            calibration.add(scan.heat, scan.head)
        names = [scan.group for scan in aside]
        healthy_map, masses = calibration.learn(names), calibration.masses(names)
    depths, regions = healthy_map.depths, healthy_map.regions
    if depths is None or regions is None:
        raise SystemExit("Nothing was learned of regions.")
    whole = HealthyDepths((depths.tables[0],) * len(depths.tables))
    whole_masses = [Pieces.of(whole.excess(scan.heat, scan.head)).masses for scan in aside]
    largest = RankTable.learn([float(one.max(initial=0.0)) for one in masses])
    ways: dict[str, tuple[HealthyDepths, Callable[[NDArray[np.float64]], NDArray[np.float64]]]] = {
        "shipped": (depths, regions.p_values),
        "BH": (depths, lambda found: adjusted(regions.masses.p_values(found))),
        "largest": (depths, largest.p_values),
        "whole": (whole, HealthyRegions.learn(whole_masses).p_values),
    }
    for name, (usual, p_values) in ways.items():
        before = len(counts[name].regions)
        for scan in held_out:
            started = time.perf_counter()
            pieces = Pieces.of(usual.excess(scan.heat, scan.head))
            told = pieces.numbers[p_values(pieces.masses) <= share]
            if name == "shipped":
                times.append(time.perf_counter() - started)
            count(counts[name], scan, pieces.labels, told)
        counts[name].shares.append(float(np.mean(np.array(counts[name].regions[before:]) > 0)))
    for scan in held_out[:: max(1, len(held_out) // 40)]:
        if scan.lesion is None:
            found = depths.p_values(scan.heat, scan.head)[scan.head]
            for level in SHARES:
                pixels[level].append(float((found <= level).mean()))


def count(tally: Count, scan: Scored, labels: NDArray[np.int32], told: NDArray[np.intp]) -> None:
    """Add one scan to a tally."""
    if scan.lesion is None:
        tally.regions.append(told.size)
        return
    shares = []
    for number in told:
        piece = labels == number
        both = int((piece & scan.lesion).sum())
        shares.append(both / int((piece | scan.lesion).sum()))
        tally.inside += both
        tally.area += int(piece.sum())
    if any(part > 0 for part in shares):
        tally.best.append(max(shares))
    tally.hit.append(any(part > 0 for part in shares))
    tally.overlap.append(any(part > 0.1 for part in shares))


def report(
    share: float, counts: dict[str, Count], pixels: dict[float, list[float]], times: list[float]
) -> None:
    """Print the figures."""
    for level, found in pixels.items():
        print(f"pixels of held-out healthy scans with p <= {level}: {np.mean(found):.4f}")
    print(f"regions with p <= {share}, at {np.mean(times) * 1e3:.2f} ms a scan without drawing")
    print("way       regions   healthy scans with any      lesions  lesions with   IoU of  of the area")
    print("          /healthy  mean (5 % to 95 % of deals)     hit     IoU > 0.1     hits  in lesions")
    for name, tally in counts.items():
        low, high = np.percentile(tally.shares, [5, 95])
        line = (
            f"{name:9} {np.mean(tally.regions):7.3f}   {np.mean(tally.shares):.3f} ({low:.3f} to {high:.3f})"
        )
        if tally.hit:
            line += f"        {np.mean(tally.hit):11.3f}  {np.mean(tally.overlap):11.3f}"
            line += f"  {np.mean(tally.best):8.3f}  {tally.inside / max(tally.area, 1):9.3f}"
        print(line)


if __name__ == "__main__":
    main()
