"""Whether simulated lesions choose as labels would: rank correlations over detectors and splits.

    python benchmarks/choice.py OUT... [-o choice.png] [--resamples 2000] [--seed 0]

Each OUT is a folder that `atypia compare` wrote, of one split. Printed are Spearman's rho and Kendall's tau-b
of each criterion (AUROC and pixel average precision of lesions simulated in healthy scans) with the true
image AUROC and the true pixel average precision: of each split, and their mean over the splits. Intervals are
95 %, by bootstrap over the detectors, drawn within each split: they say how far other detectors might have
turned out, not other patients. Of few detectors they are rough, and a perfect order has none. Then what
choosing by the criterion costs: the true figure of the best less that of the chosen. With -o the pairs are
drawn, as PNG or SVG.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from scipy.stats import kendalltau, spearmanr

FEWEST = 4
CRITERIA = {"simulated AUROC": "auroc", "simulated pixel AP": "precision"}
TRUTHS = ("image AUROC", "pixel AP")
AROUND = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
PANELS = (("simulated AUROC", "image AUROC"), ("simulated pixel AP", "pixel AP"))


@dataclass(frozen=True)
class Split:
    """The detectors of one comparison: each figure by its name, in the order of `names`."""

    name: str
    names: tuple[str, ...]
    figures: dict[str, np.ndarray]

    def pairs(self, criterion: str, truth: str) -> tuple[np.ndarray, list[str]]:
        """Return the pairs (N, 2) that are known, and whose they are."""
        both = np.stack([self.figures[criterion], self.figures[truth]], axis=1)
        known = np.isfinite(both).all(axis=1)
        return both[known], [name for name, kept in zip(self.names, known, strict=True) if kept]


def read_split(out: Path) -> Split:
    """Read `compare.json`; where there is none, the outcomes and reports of those that finished."""
    if (out / "compare.json").is_file():
        rows = json.loads((out / "compare.json").read_text(encoding="utf-8"))["rows"]
        found = [
            (
                row["name"],
                row.get("simulated", {}),
                row["auroc"],
                row["figures"].get("pixel_average_precision"),
            )
            for row in rows
            if not row["trivial"]
        ]
    else:
        found = list(_outcomes(out))
    columns = {
        "simulated AUROC": [trial.get("auroc") for _, trial, _, _ in found],
        "simulated pixel AP": [trial.get("precision") for _, trial, _, _ in found],
        "image AUROC": [auroc for _, _, auroc, _ in found],
        "pixel AP": [precision for _, _, _, precision in found],
    }
    figures = {name: np.array(values, np.float64) for name, values in columns.items()}
    return Split(out.resolve().name, tuple(name for name, *_ in found), figures)


def _outcomes(out: Path) -> Iterator[tuple[str, dict[str, float], float, float | None]]:
    for file in sorted(out.glob("*/outcome.json")):
        outcome = json.loads(file.read_text(encoding="utf-8"))["outcome"]
        if outcome["error"] is None:
            auroc = json.loads((file.parent / "metrics.json").read_text(encoding="utf-8"))["image"]["auroc"]
            trial = {name: outcome.get(f"simulated_{name}") for name in CRITERIA.values()}
            yield outcome["name"], trial, auroc, outcome["figures"].get("pixel_average_precision")


def correlations(pairs: np.ndarray) -> tuple[float, float]:
    """Return Spearman's rho and Kendall's tau-b; NaN where all of one are equal."""
    if len(pairs) < 2 or (np.ptp(pairs, axis=0) == 0).any():
        return np.nan, np.nan
    return float(spearmanr(*pairs.T).statistic), float(kendalltau(*pairs.T).statistic)


def resampled(parts: Sequence[np.ndarray], resamples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean correlations (2,) over the parts and their 95 % intervals (2, 2)."""
    rng = np.random.default_rng(seed)
    drawn = [
        np.mean([correlations(part[rng.integers(len(part), size=len(part))]) for part in parts], axis=0)
        for _ in range(resamples)
    ]
    mean = np.mean([correlations(part) for part in parts], axis=0)
    return mean, np.nanpercentile(drawn, (2.5, 97.5), axis=0).T


def told(values: np.ndarray, ends: np.ndarray) -> str:
    """Return both correlations with their intervals."""
    both = zip(("Spearman", "Kendall"), values, ends, strict=True)
    return "  ".join(
        f"{name} {value:+.2f} ({f'{low:+.2f} to {high:+.2f}' if high > low else 'no interval'})"
        for name, value, (low, high) in both
    )


def tell(splits: Sequence[Split], resamples: int, seed: int) -> None:
    """Print the correlations, and what choosing by the criterion costs."""
    for criterion, truth in product(CRITERIA, TRUTHS):
        print(f"\n{criterion} with {truth}")
        parts = []
        for split in splits:
            pairs, names = split.pairs(criterion, truth)
            if len(pairs) < FEWEST:
                print(f"  {split.name:24} too few: {len(pairs)} detectors have both")
                continue
            parts.append(pairs)
            line = told(*resampled([pairs], resamples, seed))
            chosen = pairs[:, 0].argmax()
            lost = pairs[:, 1].max() - pairs[chosen, 1]
            print(f"  {split.name:24} n {len(pairs):2}  {line}  chosen {names[chosen]}, loses {lost:.3f}")
        if len(parts) > 1:
            print(
                f"  {'mean over the splits':24} n {sum(map(len, parts)):2}  "
                f"{told(*resampled(parts, resamples, seed))}"
            )


def draw(splits: Sequence[Split], out: Path) -> None:
    """Draw a row for each split: the criterion across, the truth upwards, each detector named."""
    figure = Figure(figsize=(11.5, 0.7 + 4.3 * len(splits)), dpi=160, layout="constrained")
    grid = figure.subplots(len(splits), len(PANELS), squeeze=False)
    placed = []
    for row, split in zip(grid, splits, strict=True):
        for axes, (criterion, truth) in zip(row, PANELS, strict=True):
            pairs, names = split.pairs(criterion, truth)
            if not names:  # no masks
                axes.set_axis_off()
                continue
            axes.set_title(split.name, loc="left", fontsize=10, fontweight="bold", parse_math=False)
            axes.set_xlabel(f"{criterion}, healthy scans alone")
            axes.set_ylabel(f"{truth}, by labels")
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(visible=True, color="#d5dae2", linewidth=0.6)
            axes.set_axisbelow(True)
            axes.margins(0.2, 0.12)
            axes.plot(*pairs.T, "o", color="#0072b2", markersize=6)
            placed.append((axes, pairs, names))
    figure.suptitle("Simulated lesions against labels. Research use only. Not a medical device.", fontsize=10)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes, pairs, names in placed:
        _name(axes, pairs, names)
    figure.savefig(out)


def _name(axes: Axes, pairs: np.ndarray, names: Sequence[str]) -> None:
    """Put each name beside its point, where it covers no other name and no point, as far as that goes."""
    points = axes.transData.transform(pairs) if len(pairs) else pairs
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in points]
    frame = axes.get_window_extent()
    for place, name in enumerate(names):
        best, least = None, np.inf
        for far, (x, y) in product((6, 13, 22, 34), AROUND):
            text = axes.annotate(
                name,
                pairs[place],
                (far * x, far * y),
                textcoords="offset points",
                fontsize=7.5,
                ha={1: "left", 0: "center", -1: "right"}[x],
                va={1: "bottom", 0: "center", -1: "top"}[y],
                arrowprops={"arrowstyle": "-", "color": "#9aa6b6", "linewidth": 0.6} if far > 6 else None,
                parse_math=False,
            )
            box = text.get_window_extent()
            others = taken[:place] + taken[place + 1 :]
            covered = sum(box.overlaps(other) for other in others)
            outside = box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1
            cost = covered + 2 * outside
            if cost < least:
                if best is not None:
                    best.remove()
                best, least = text, cost
            else:
                text.remove()
            if least == 0:
                break
        if best is not None:
            taken.append(best.get_window_extent())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="OUT")
    parser.add_argument("-o", "--out", type=Path, help="the figure to draw, .png or .svg")
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    splits = [read_split(folder) for folder in arguments.folders]
    tell(splits, arguments.resamples, arguments.seed)
    if arguments.out is not None:
        draw(splits, arguments.out)
        print(f"\nfigure: {arguments.out}")


if __name__ == "__main__":
    main()
