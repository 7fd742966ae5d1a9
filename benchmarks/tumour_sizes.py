"""How well tumours of each size are told from healthy slices.

    python benchmarks/tumour_sizes.py TABLE FINDINGS... --root DATA [--edges 0 200 500 1500]

TABLE has masks; each of FINDINGS is a `findings.csv` of its test part. Sizes are in pixels of the mask. The
AUROC is of the slices with a tumour of that size against all healthy ones; intervals by bootstrap over
groups.
"""

from __future__ import annotations

import argparse
import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.evaluation.metrics import auroc
from atypia.reading.collection import Row, read_collection
from atypia.reading.picture import read_mask

Floats = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path)
    parser.add_argument("findings", nargs="+", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--edges", nargs="+", type=float, default=[0, 200, 500, 1500])
    parser.add_argument("--resamples", type=int, default=2000)
    asked = parser.parse_args()
    test = list(read_collection(asked.table, root=asked.root).select(split="test"))
    sizes = np.array([size_of(row) for row in test])
    _, groups = np.unique([row.group or row.name for row in test], return_inverse=True)
    print("| findings | " + " | ".join(told(*bin_) for bin_ in pairwise([*asked.edges, np.inf])) + " |")
    for path in asked.findings:
        scores = scores_of(path, test)
        cells = []
        for low, high in pairwise([*asked.edges, np.inf]):
            kept = (sizes < 0) | ((sizes >= max(low, 1)) & (sizes < high))
            cells.append(with_interval(scores[kept], sizes[kept] >= 0, groups[kept], asked.resamples))
        print(f"| {path.parent.parent.name}/{path.parent.name} | " + " | ".join(cells) + " |")


def size_of(row: Row) -> float:
    """Return the pixels of a tumour; -1 for a healthy slice, NaN for a tumour without a mask."""
    if row.label == "normal":
        return -1.0
    return float(read_mask(row.mask).sum()) if row.mask else float("nan")


def scores_of(path: Path, rows: list[Row]) -> Floats:
    with path.open(encoding="utf-8", newline="") as file:
        found = {row["name"]: float(row["score"] or "nan") for row in csv.DictReader(file)}
    return np.array([found[row.name] for row in rows])


def with_interval(scores: Floats, ill: NDArray[np.bool_], groups: NDArray[np.intp], resamples: int) -> str:
    if not ill.any():
        return "none"
    rng, names, drawn = np.random.default_rng(0), np.unique(groups), []
    members = [np.flatnonzero(groups == name) for name in names]
    for _ in range(resamples):
        places = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        if ill[places].any() and not ill[places].all():
            drawn.append(auroc(scores[places], ill[places]))
    low, high = np.quantile(drawn, (0.025, 0.975))
    return f"{auroc(scores, ill):.3f} ({low:.3f} to {high:.3f}), {int(ill.sum())}"


def told(low: float, high: float) -> str:
    return f"{low:.0f} to {high:.0f} px" if np.isfinite(high) else f"{low:.0f} px and more"


if __name__ == "__main__":
    main()
