"""`monitor`: whether scored scans still behave as calibration promised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atypia.cli import options
from atypia.cli.command import Taught
from atypia.errors import BadTable
from atypia.notice import RESEARCH_USE_ONLY

if TYPE_CHECKING:
    from atypia.monitoring.monitor import Watch
    from atypia.screener import Screener

POOLED = "pooled ("


@click.command(
    cls=Taught,
    short_help="Tell when recalibration is due.",
    examples=(
        "atypia monitor out/findings.csv --model brain.atypia -o drift",
        "atypia monitor monday.csv tuesday.csv wednesday.csv --prevalence 0.1 --strict",
        "atypia monitor out/findings.csv --groups table.csv -o drift",
    ),
    glossary={
        "What it writes": [
            ("monitor.html", "one page with the p-values over time, that opens in any browser"),
            ("monitor.json", "alarms, windows and counts, by stratum"),
            ("figures/", "the figures of the page as PNG"),
        ]
    },
)
@click.argument("findings", nargs=-1, required=True, type=options.PATH)
@click.option("-o", "--out", type=options.PATH, metavar="FOLDER", help="Folder for the page and its figures.")
@click.option(
    "--model",
    type=options.PATH,
    metavar="FILE",
    help="The Screener that scored them, which knows how many healthy scans calibrated it. Default: read off "
    "the p-values where that is possible.",
)
@click.option(
    "--groups",
    type=options.PATH,
    metavar="TABLE",
    help="The table of the scans, with the column group. Of each group one scan is tested, picked by its "
    "name: slices of one patient are alike, and would pass for a drift.",
)
@options.root
@options.whole("--window", "Scans in a window.", least=10, default=100)
@click.option(
    "--prevalence",
    type=float,
    metavar="X",
    help="The largest share of scans that may be abnormal; 0: all are healthy. Default: not known, half at "
    "most, and then above all scans that look healthy are tested.",
)
@click.option(
    "--fpr", "alpha", type=float, metavar="X", default=0.05, help="P-value up to which windows count scans."
)
@click.option(
    "--risk", type=float, metavar="X", default=0.01, help="Chance of any false alarm in the whole stream."
)
@click.option("--strict", is_flag=True, help="Exit code 1 where recalibration is due.")
def monitor(
    findings: tuple[Path, ...],
    out: Path | None,
    model: Path | None,
    groups: Path | None,
    root: Path | None,
    window: int,
    prevalence: float | None,
    alpha: float,
    risk: float,
    strict: bool,
) -> None:
    """Test the p-values of scored scans, in their order, against what calibration promised.

    FINDINGS are tables that 'atypia score' wrote, the oldest first. Healthy scans like those of the
    calibration have p-values that are spread evenly; where they are not any more, recalibration is due. Each
    stratum is tested by a betting martingale over all scans and by an exact test of each window.
    """
    from atypia.destination import claim_folder, replacing
    from atypia.monitoring.monitor import Settings, watch
    from atypia.monitoring.stream import read_streams
    from atypia.report.drift import told, told_unfit, write_drift
    from atypia.screener import Screener

    settings = Settings(window=window, risk=risk, alpha=alpha, prevalence=prevalence)
    screener = Screener.load(model) if model is not None else None
    if out is not None:
        claim_folder(out)
    streams = read_streams(findings, _kept(groups, root) if groups is not None else None)
    size = _size_of(screener, model) if screener and model else None
    seen = watch(streams, settings, size, screener.refused if screener else None)
    lines = _counted(seen)
    lines += [*told_unfit(seen), *(line for stratum in seen.strata for line in told(seen, stratum))]
    if not seen.alarmed:
        lines.append("the p-values are as calibration promised")
    if out is not None:
        with replacing(out, "figures/drift_*.png"):
            lines.append(f"page: {write_drift(seen, out, options.command_line())}")
    click.echo("\n".join([*lines, RESEARCH_USE_ONLY]))
    click.get_current_context().exit(1 if strict and seen.alarmed else 0)


def _kept(table: Path, root: Path | None) -> frozenset[str]:
    from atypia.monitoring.stream import one_of_each
    from atypia.reading.collection import read_collection

    rows = read_collection(table, root=root)
    if not rows.has_groups:
        raise BadTable(f"{table}: expected a column group to take one scan of each, received none.")
    return one_of_each((row.name, row.group) for row in rows)


def _size_of(screener: Screener, model: Path) -> Callable[[str | None], int | None]:
    """Return the number of calibration groups by the name of a stratum."""
    threshold = screener.threshold_
    assert threshold is not None

    def size(stratum: str | None) -> int:
        if stratum is None or stratum.startswith(POOLED):
            return threshold.calibration.group_count
        if stratum in threshold.parts:
            return threshold.parts[stratum].calibration.group_count
        raise BadTable(
            f"{model}: expected the Screener that scored these scans, received one without a threshold for "
            f"the stratum {stratum!r}. Name the one that did, or leave --model out."
        )

    return size


def _counted(seen: Watch) -> list[str]:
    streams = seen.streams
    judged = sum(len(stratum.p_values) for stratum in seen.strata)
    left = {
        "could not be judged": streams.unreadable,
        "unfit": streams.unfit,
        "of a group again": streams.repeated,
    }
    rest = "".join(f", {count} {why}" for why, count in left.items() if count)
    lines = [f"{judged} {'p-value' if judged == 1 else 'p-values'} of {streams.rows} scans{rest}"]
    lines += [
        f"  {stratum.name}: {len(stratum.p_values)}, calibrated on "
        f"{'a number not known: give --model' if stratum.size is None else stratum.size}"
        for stratum in seen.strata
    ]
    return lines
