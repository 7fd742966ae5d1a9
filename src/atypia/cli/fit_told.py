"""What `fit` prints when it is done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from atypia.cli.options import to_type
from atypia.reading.cutting import WHOLE

if TYPE_CHECKING:
    from atypia.screener import Screener
    from atypia.threshold import Threshold

LISTED = 10


def tell(screener: Screener, out: Path) -> int:
    """Print what was learned; return the number of scans that were left out."""
    report, threshold = screener.report_, screener.threshold_
    assert report is not None
    assert threshold is not None
    for _, error in report.unreadable[:LISTED]:
        click.echo(f"left out: {error}", err=True)
    if len(report.unreadable) > LISTED:
        click.echo(f"left out: {len(report.unreadable) - LISTED} more", err=True)
    click.echo(
        f"learned from {report.train} healthy scans, calibrated on {report.calibration} others\n"
        f"threshold {threshold.value:.4g} ({threshold.rule}, {threshold.parameter:g})\n"
        f"{_promised(threshold)}"
        f"{_checked(screener)}"
        f"{_placed(screener)}"
        f"saved {out}\n"
        f"next: {to_type('score', out)} SCANS -o findings"
    )
    return len(report.unreadable)


def _checked(screener: Screener) -> str:
    """Return what to know of the fitness check: what was left out of it, or that there is none."""
    if screener.fitness_ is None:
        return "no fitness check: scans of any kind are judged\n"
    left_out = screener.fitness_.left_out
    told = f"{left_out} of these healthy scans look like CT; new ones that do are called unfit\n"
    return told if left_out else ""


def _placed(screener: Screener) -> str:
    """Return whether slices of volumes are compared by position; of pictures, nothing."""
    planes = f"cuts volumes in the plane {' and '.join(screener.planes_)}\n" if screener.planes_ else ""
    if screener.strip_ != WHOLE:
        planes += f"takes the skull off volumes first ({screener.strip_})\n"
    if screener.position_scale_ is not None:
        told = (
            "slices are compared with healthy slices of their position, in standard deviations of these; a "
            "rate of false alarms is then kept in simulations, not proven (--no-position)"
        )
        return f"{planes}{told}\n"
    report = screener.report_
    if report is None or report.unplaced is None:
        return planes
    return f"{planes}slices are not compared by position: {report.unplaced}\n"


def _promised(threshold: Threshold) -> str:
    """Return the thresholds of the strata, and what they promise where they promise anything."""
    from atypia.threshold.guarantee import guarantee

    lines = [f"  {name}: {part.value:.4g}" for name, part in threshold.parts.items()]
    if threshold.rule == "conformal":
        lines.append(guarantee(threshold))
    return "".join(f"{line}\n" for line in lines)
