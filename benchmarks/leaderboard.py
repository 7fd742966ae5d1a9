"""Every detector on fixed splits, over several seeds, as one page of tables.

    python benchmarks/leaderboard.py TABLE... --root DATA -o OUT [--seeds 3] [--write docs/leaderboard.md]
    python benchmarks/leaderboard.py --read OUT --write docs/leaderboard.md

The first runs `atypia compare` on every table: all detectors with seed 0, the default alone with the other
seeds, each into OUT/NAME-sSEED, NAME being that of the table, or of its folder where it is `table.csv`. What
is finished is not run again. The second only writes the page anew.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

DEFAULT = "ensemble"
DETECTORS = (
    "ensemble,lesion-simulation,denoising,restoration,atlas,patchcore,nearest,gaussian,feature-autoencoder,"
    "reverse-distillation,autoencoder,pretrained-synthetic,asymmetry,intensity"
)
HEAD = (
    "detector",
    "image AUROC (95 %)",
    "pixel AP (95 %)",
    "best Dice",
    "sensitivity at 5 % false alarms",
    "accuracy",
    "fit, min",
    "MiB",
    "scans/s",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--read", type=Path, help="OUT of an earlier run, to write the page from")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--detectors", default=DETECTORS)
    parser.add_argument("--encoder", default="efficientnet-lite0")
    parser.add_argument("--write", type=Path, help="page to write between its two marks; default: printed")
    asked = parser.parse_args()
    out = asked.read or asked.out
    if out is None:
        parser.error("expected -o OUT, or --read OUT")
    for table in asked.tables:
        for seed in range(asked.seeds):
            run(table, asked, out, seed)
    text = page(out)
    if asked.write:
        insert(asked.write, text)
    else:
        print(text)


def run(table: Path, asked: argparse.Namespace, out: Path, seed: int) -> None:
    """Compare on one table with one seed; a detector that fails costs its own row."""
    names = DEFAULT if seed else asked.detectors
    command = ["compare", str(table), "--detectors", names, "--encoder", asked.encoder, "--allow-leak"]
    name = table.resolve().parent.name if table.stem == "table" else table.stem
    command += ["--seed", str(seed), "-o", str(out / f"{name}-s{seed}")]
    command += ["--root", str(asked.root)] if asked.root else []
    subprocess.run([sys.executable, "-m", "atypia", *command], check=False)


def page(out: Path) -> str:
    """Return a table for each split, the best first."""
    splits = sorted({found.parent.name.rpartition("-s")[0] for found in out.glob("*-s0/compare.json")})
    return "\n\n".join(split_table(out, name) for name in splits) + "\n"


def split_table(out: Path, name: str) -> str:
    """Return what one split gave: seed 0 in the rows, the other seeds of the default below them."""
    folder = out / f"{name}-s0"
    told = json.loads((folder / "compare.json").read_text(encoding="utf-8"))
    facts = told["data"]
    lines = [f"### {name}" + (" (LEAKS in part)" if told["leaks"] else ""), ""]
    learned, aside = facts["scans learned from"], facts["scans for the threshold"]
    normal, abnormal = facts["normal scans judged"], facts["abnormal scans judged"]
    lines.append(
        f"{learned} healthy scans to learn from, {aside} for the threshold; judged {normal} normal and "
        f"{abnormal} abnormal in {facts['groups among them']} groups."
    )
    lines += ["", row(HEAD), row(["---"] * len(HEAD))]
    trivial = [entry for entry in told["rows"] if entry["trivial"]][:3]
    for entry in told["rows"]:
        if not entry["trivial"]:
            lines.append(row(cells(entry, measured(folder / entry["name"]))))
        elif entry in trivial:
            lines.append(row([f"*{entry['name']}*", spanned(entry["auroc"], entry["auroc_interval"])]))
    lines += seeds(out, name)
    if told["agreements"]:
        lines += [
            "",
            "Simulated against true figures over these detectors: " + agreements(told["agreements"]),
        ]
    return "\n".join(lines)


def measured(folder: Path) -> Mapping[str, Any]:
    """Return the figures of one contestant."""
    found: Mapping[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return found


def cells(entry: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[str]:
    pixel, costs = metrics["pixel"] or {}, entry["costs"]
    intervals = pixel.get("intervals") or {}
    return [
        entry["name"],
        spanned(entry["auroc"], entry["auroc_interval"]),
        spanned(pixel.get("average_precision"), intervals.get("average_precision")),
        number(pixel.get("best_dice")),
        number(entry["sensitivity_at_5"]),
        number(entry["figures"].get("accuracy")),
        number((costs.get("fit_seconds") or 0) / 60, 1),
        number(costs.get("artefact_mib"), 1),
        number(costs.get("images_per_second"), 0),
    ]


def seeds(out: Path, name: str) -> list[str]:
    """Return a sentence on the default over all seeds, where there are several."""
    found = [measured(path.parent) for path in sorted(out.glob(f"{name}-s*/{DEFAULT}/metrics.json"))]
    if len(found) < 2:
        return []
    figures = {
        "image AUROC": [one["image"]["auroc"] for one in found],
        "pixel AP": [(one["pixel"] or {}).get("average_precision") for one in found],
        "best Dice": [(one["pixel"] or {}).get("best_dice") for one in found],
        "accuracy": [one["image"]["accuracy"] for one in found],
        "false alarms": [one["image"]["false_alarm_rate"] for one in found],
    }
    told = [
        f"{label} {np.mean(values):.3f} ({', '.join(f'{value:.3f}' for value in values)})"
        for label, values in figures.items()
        if None not in values
    ]
    return ["", f"`{DEFAULT}` over {len(found)} seeds, mean and each: " + "; ".join(told) + "."]


def agreements(found: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(
        f"{one['criterion']} against {one['truth']}: Spearman {one['spearman']:.2f}, "
        f"Kendall {one['kendall']:.2f} (n = {one['count']})"
        for one in found
    )


def spanned(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return ""
    return number(value) + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def row(values: Sequence[str]) -> str:
    return "| " + " | ".join([*values, *[""] * (len(HEAD) - len(values))]) + " |"


def insert(path: Path, text: str) -> None:
    """Put the tables between the marks `<!-- tables -->` and `<!-- end -->` of a page."""
    start, end = "<!-- tables -->\n", "<!-- end -->"
    before, mark, rest = path.read_text(encoding="utf-8").partition(start)
    _, last, after = rest.partition(end)
    if not mark or not last:
        raise SystemExit(f"{path}: expected the marks {start.strip()} and {end}, found none.")
    path.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
