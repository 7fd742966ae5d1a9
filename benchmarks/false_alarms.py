"""Realised false-alarm rates of the rule conformal on healthy scans, over random re-splits by group.

    python benchmarks/false_alarms.py TABLE... --data DIR --weights FILE [-o OUT] [--splits 200]

`nearest` is fitted once on the healthy train rows of each table. The healthy rows of threshold and test are
pooled and parted anew, whole groups at random, into calibration and test, so many times. A rate is the mean
over the test groups of the share of their scans that is flagged, and beside it the share of all test scans.
Compared are: the rule as it is ("by group"), the same blind to groups ("by scan"), and numpy's quantile of
the calibration scores at 1 - alpha ("quantile"). Nothing is chosen by these figures.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.detectors import Nearest
from atypia.errors import NotEnoughScans
from atypia.reading.collection import read_collection
from atypia.screener import Screener
from atypia.threshold import Threshold
from atypia.threshold.rules import groups_needed

PLANES = {"axial", "coronal", "sagittal"}
ALPHAS = (0.05, 0.1)
Flags = Callable[["Pool", NDArray[np.bool_], float], NDArray[np.bool_]]


@dataclass(frozen=True)
class Pool:
    """Healthy scans that the detector has not seen: scores, groups and, where known, planes (N,)."""

    scores: NDArray[np.float64]
    groups: NDArray[np.str_]
    planes: NDArray[np.object_]

    def taken(self, chosen: NDArray[np.bool_]) -> dict[str, list[str | None]]:
        return {"plane": list(self.planes[chosen])}


def by_group(pool: Pool, aside: NDArray[np.bool_], alpha: float) -> NDArray[np.bool_]:
    learned = Threshold.learn(pool.scores[aside], "conformal", alpha, groups=list(pool.groups[aside]))
    return learned.flags(pool.scores[~aside])


def by_group_and_plane(pool: Pool, aside: NDArray[np.bool_], alpha: float) -> NDArray[np.bool_]:
    learned = Threshold.learn(
        pool.scores[aside],
        "conformal",
        alpha,
        groups=list(pool.groups[aside]),
        taken=pool.taken(aside),
        strata=["plane"],
    )
    parts = [learned.for_scan({"plane": plane})[0] for plane in pool.planes[~aside]]
    return np.array([part.value for part in parts]) < pool.scores[~aside]


def by_scan(pool: Pool, aside: NDArray[np.bool_], alpha: float) -> NDArray[np.bool_]:
    return Threshold.learn(pool.scores[aside], "conformal", alpha).flags(pool.scores[~aside])


def quantile(pool: Pool, aside: NDArray[np.bool_], alpha: float) -> NDArray[np.bool_]:
    return pool.scores[~aside] > np.quantile(pool.scores[aside], 1 - alpha)


def gather(table: Path, asked: argparse.Namespace) -> Pool:
    """Fit on the train rows and score the healthy others, or read what an earlier run kept."""
    kept = asked.out / f"{table.stem}.json" if asked.out else None
    if kept is None or not kept.exists():
        values = measure(table, asked)
        if kept is None:
            return pool_of(values)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(values))
    return pool_of(json.loads(kept.read_text()))


def measure(table: Path, asked: argparse.Namespace) -> dict[str, list[object]]:
    rows = read_collection(table, root=asked.data)
    screener = Screener(Nearest("resnet50" if asked.weights else "efficientnet-lite0", asked.weights))
    screener.fit(rows)
    held_out = [row for row in rows if row.label == "normal" and row.split in ("threshold", "test")]
    found = screener.score(replace(rows, rows=tuple(held_out)), heatmaps=False)
    pairs = [(row, finding) for row, finding in zip(held_out, found, strict=True) if finding.error is None]
    return {
        "scores": [finding.score for _, finding in pairs],
        "groups": [row.group or f"alone {row.name}" for row, _ in pairs],
        "planes": [row.plane or (row.kind if row.kind in PLANES else None) for row, _ in pairs],
    }


def pool_of(values: dict[str, list[object]]) -> Pool:
    planes = np.array(values["planes"], dtype=object)
    return Pool(np.array(values["scores"], dtype=float), np.array(values["groups"], dtype=str), planes)


def realised(
    pool: Pool, flags: Flags, alpha: float, plane: str | None, asked: argparse.Namespace
) -> NDArray[np.float64]:
    """Return the rate by group and by scan of each re-split (R, 2), of one plane or of all scans."""
    rng = np.random.default_rng(asked.seed)
    names = np.unique(pool.groups)
    # More than the share where alpha needs more groups than that.
    count = max(round(asked.share * len(names)), groups_needed("conformal", alpha))
    rates = []
    for _ in range(asked.splits):
        aside = np.isin(pool.groups, rng.permutation(names)[:count])
        counted = ~aside if plane is None else ~aside & (pool.planes == plane)
        flagged = flags(pool, aside, alpha)[counted[~aside]]
        groups = pool.groups[counted]
        shares = [flagged[groups == name].mean() for name in np.unique(groups)]
        rates.append([np.mean(shares), flagged.mean()])
    return np.array(rates)


def lines(table: Path, pool: Pool, asked: argparse.Namespace) -> None:
    ways: dict[str, Flags] = {"conformal, by group": by_group}
    planes: list[str | None] = [None]
    if any(pool.planes):
        ways["conformal, by group and plane"] = by_group_and_plane
        planes += sorted({plane for plane in pool.planes if plane})
    ways |= {"conformal, by scan": by_scan, "quantile": quantile}
    counted = f"{len(pool.scores)} in {len(np.unique(pool.groups))}"
    for alpha in ALPHAS:
        for name, flags in ways.items():
            for plane in planes if "group" in name else [None]:
                try:
                    rates = realised(pool, flags, alpha, plane, asked)
                except NotEnoughScans as error:
                    print(f"| {table.stem} | {counted} | {alpha} | {name} | {error} | | | |")
                    continue
                (mean, scans), low, high = rates.mean(axis=0), *np.quantile(rates[:, 0], (0.05, 0.95))
                what = name if plane is None else f"{name}: on {plane}"
                print(
                    f"| {table.stem} | {counted} | {alpha} | {what} | {mean:.4f} | {rates[:, 0].std():.4f} | "
                    f"{low:.3f} to {high:.3f} | {scans:.4f} |",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.5, help="of the groups that calibrate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--out", type=Path, help="folder that keeps the scores")
    asked = parser.parse_args()
    columns = ("split", "scans in groups", "alpha", "rule", "rate, by group", "deviation", "90 % of splits")
    print(f"| {' | '.join(columns)} | rate, by scan |")
    print("|---|---|---|---|---|---|---|---|")
    for table in asked.tables:
        lines(table, gather(table, asked), asked)


if __name__ == "__main__":
    main()
