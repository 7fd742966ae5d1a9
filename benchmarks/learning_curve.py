"""How the figures of a split grow with the number of healthy groups (patients) that are learned from.

    python benchmarks/learning_curve.py TABLE --root DATA -o OUT [--groups 7 14] [--image curve.png]

For each number the first so many healthy groups of the split `train`, in an order drawn from the seed, are
kept, those of fewer within those of more; all else of the table stays. `atypia compare` runs on each, and
last on the whole table, into OUT/groups-N; what is finished is not run again. Printed is a table with 95 %
intervals of the test part, which say how far other test groups might change a figure, not how far other
groups to learn from might.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

Rows = list[dict[str, str]]
FIGURES = ("image AUROC", "pixel AP")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#5b6472")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--groups", type=int, nargs="+", default=[7, 14])
    parser.add_argument("--detectors", default="ensemble,lesion-simulation,nearest,atlas")
    parser.add_argument("--encoder", default="efficientnet-lite0")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--image", type=Path, help="the figure to draw, .png or .svg")
    asked = parser.parse_args()
    with asked.table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    order = drawn_groups(rows, asked.seed)
    told: dict[int, dict[str, Any]] = {}
    for count in sorted({*asked.groups, len(order)}):
        table = asked.out / f"groups-{count}.csv"
        write(kept(rows, set(order[:count])), table)
        out = asked.out / f"groups-{count}"
        command = ["compare", str(table), "--root", str(asked.root), "--detectors", asked.detectors]
        command += ["--encoder", asked.encoder, "--seed", str(asked.seed), "-o", str(out)]
        subprocess.run([sys.executable, "-m", "atypia", *command], check=False)
        told[count] = read(out)
    print(text(told))
    if asked.image:
        draw(told, asked.image)
        print(f"\nfigure: {asked.image}")


def drawn_groups(rows: Rows, seed: int) -> list[str]:
    """Return the groups that are learned from, in an order drawn from the seed."""
    groups = sorted({row["group"] for row in rows if row["split"] == "train"})
    return [groups[i] for i in np.random.default_rng(seed).permutation(len(groups))]


def kept(rows: Rows, groups: set[str]) -> Rows:
    return [row for row in rows if row["split"] != "train" or row["group"] in groups]


def write(rows: Rows, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def read(out: Path) -> dict[str, Any]:
    """Return the scans learned from, and of each detector its figures with their intervals."""
    compared = json.loads((out / "compare.json").read_text(encoding="utf-8"))
    names = [row["name"] for row in compared["rows"] if not row["trivial"]]
    found = {}
    for name in names:
        metrics = json.loads((out / name / "metrics.json").read_text(encoding="utf-8"))
        pixel = metrics["pixel"] or {}
        row = next(row for row in compared["rows"] if row["name"] == name)
        found[name] = {
            "image AUROC": (row["auroc"], row["auroc_interval"]),
            "pixel AP": (
                pixel.get("average_precision"),
                (pixel.get("intervals") or {}).get("average_precision"),
            ),
        }
    return {"scans": compared["data"]["scans learned from"], "detectors": found}


def text(told: Mapping[int, Mapping[str, Any]]) -> str:
    lines = ["| groups | scans | detector | image AUROC (95 %) | pixel AP (95 %) |", "| --- " * 5 + "|"]
    for count, one in told.items():
        for name, figures in sorted(one["detectors"].items()):
            cells = [spanned(*figures[figure]) for figure in FIGURES]
            lines.append(f"| {count} | {one['scans']} | {name} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def spanned(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def draw(told: Mapping[int, Mapping[str, Any]], path: Path) -> None:
    """Draw a panel for each figure: groups across, the figure upwards, a line for each detector."""
    figure = Figure(figsize=(10.5, 4.2), dpi=160, layout="constrained")
    counts = list(told)
    names = sorted(
        told[counts[-1]]["detectors"], key=lambda n: -told[counts[-1]]["detectors"][n][FIGURES[0]][0]
    )
    for axes, which in zip(figure.subplots(1, 2), FIGURES, strict=True):
        for place, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
            known = [
                (count, *told[count]["detectors"][name][which])
                for count in counts
                if name in told[count]["detectors"] and told[count]["detectors"][name][which][0] is not None
            ]
            if not known:
                continue
            across = [count * 1.02 ** (place - len(names) / 2) for count, _, _ in known]
            axes.plot(across, [v for _, v, _ in known], "o-", color=colour, label=name, markersize=5)
            for x, (_, _, interval) in zip(across, known, strict=True):
                if interval:
                    axes.plot((x, x), interval, color=colour, linewidth=1, alpha=0.55)
        axes.set_xscale("log")
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.minorticks_off()
        axes.set_xlabel("healthy groups learned from")
        axes.set_title(which, loc="left", fontsize=10, fontweight="bold")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, color="#d5dae2", linewidth=0.6)
        axes.set_axisbelow(True)
    figure.axes[0].legend(frameon=False, fontsize=8.5, loc="lower right")
    figure.suptitle("Test part, 95 % intervals. Research use only. Not a medical device.", fontsize=10)
    figure.savefig(path)


if __name__ == "__main__":
    main()
