"""`threshold`: another rule for a saved Screener, without a fit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atypia.cli import options
from atypia.cli.command import Taught
from atypia.cli.rule import RULES, strata
from atypia.errors import BadOption
from atypia.notice import RESEARCH_USE_ONLY

if TYPE_CHECKING:
    from atypia.threshold import Threshold

RATES = (0.01, 0.02, 0.05, 0.1, 0.2)
PARAMETERS = {"fpr": "conformal", "k": "mean+std", "q": "quantile"}


@click.command(
    cls=Taught,
    short_help="Show or change the threshold of a Screener.",
    examples=(
        "atypia threshold brain.atypia",
        "atypia threshold brain.atypia --fpr 0.05 -o brain-05.atypia",
        "atypia threshold brain.atypia --rule conformal --fpr 0.1 --strata plane --in-place",
        "atypia threshold brain.atypia --rule mean+std --k 2",
    ),
    glossary={
        "Rules": [
            ("mean+std", "flags above the mean plus K standard deviations of the healthy scores"),
            ("quantile", "flags above the quantile Q of the healthy scores"),
            ("conformal", "flags where the p-value is at most X: at most that share of healthy scans"),
        ]
    },
)
@click.argument("model", type=options.PATH)
@click.option("--rule", type=click.Choice(RULES), help="How the threshold follows from the healthy scores.")
@click.option("--fpr", type=float, metavar="X", help="False-alarm rate, of the rules conformal and quantile.")
@click.option("--k", type=float, metavar="K", help="Standard deviations, of the rule mean+std.")
@click.option(
    "--q", type=float, metavar="Q", help="Share of healthy scans that shall pass, of the rule quantile."
)
@strata(
    "Columns (plane, sequence, scanner) with commas between them, whose strata get thresholds of their own; "
    "none: one threshold for all. Default: as they are."
)
@click.option("-o", "--out", type=options.PATH, metavar="FILE", help="The Screener to write.")
@click.option("--in-place", is_flag=True, help="Change MODEL itself.")
def threshold(
    model: Path,
    rule: str | None,
    fpr: float | None,
    k: float | None,
    q: float | None,
    strata: tuple[str, ...] | None,
    out: Path | None,
    in_place: bool,
) -> None:
    """Show the threshold of a saved Screener, or give it another rule; no score changes.

    MODEL is what 'atypia fit' saved. The healthy scores of the calibration are kept in it. Without an option
    the present threshold is told, with the false-alarm rates that so many healthy scans can promise. With a
    rule but neither -o nor --in-place, what would change is told and nothing is saved. P-values change
    with --strata alone, which say with which healthy scans a scan is compared.
    """
    from atypia.destination import claim_file
    from atypia.screener import Screener

    if out is not None and in_place:
        raise BadOption("-o and --in-place: expected one of them, received both.")
    screener = Screener.load(model)
    before = screener.threshold_
    assert before is not None
    asked = _asked(before, rule, {"fpr": fpr, "k": k, "q": q}, strata)
    if asked is None:
        if out is not None or in_place:
            raise BadOption("Expected what to change: --rule, --fpr, --k, --q or --strata.")
        click.echo("\n".join([*_told(before), *_attainable(before), RESEARCH_USE_ONLY]))
        return
    changed = screener.with_threshold(*asked)
    after = changed.threshold_
    assert after is not None
    lines = ["before", *_told(before, "  "), "after", *_told(after, "  "), *_effect(before, after)]
    target = model if in_place else out
    if target is not None:
        claim_file(target)
        changed.save(target)
    saved = "nothing was saved: add -o FILE or --in-place" if target is None else f"saved {target}"
    click.echo("\n".join([*lines, saved, RESEARCH_USE_ONLY]))


def _asked(
    before: Threshold, rule: str | None, given: dict[str, float | None], strata: tuple[str, ...] | None
) -> tuple[str, float | None, tuple[str, ...] | None] | None:
    """Return rule, parameter and strata to change to, or None; raise BadOption where options contradict."""
    named = [name for name, value in given.items() if value is not None]
    if rule is None and not named and strata is None:
        return None
    if len(named) > 1:
        raise BadOption(f"Expected one of --fpr, --k and --q, received --{' and --'.join(named)}.")
    if not named:
        kept = before.parameter if rule in (None, before.rule) else None
        return rule or before.rule, kept, strata
    (name,) = named
    value = given[name]
    assert value is not None
    rule = rule or PARAMETERS[name]
    if name == "fpr" and rule == "quantile":
        return rule, 1 - value, strata
    if rule != PARAMETERS[name]:
        raise BadOption(f"--{name} belongs to the rule {PARAMETERS[name]}, not to {rule}.")
    return rule, value, strata


def _told(threshold: Threshold, margin: str = "") -> Iterator[str]:
    from atypia.threshold.guarantee import guarantee

    yield f"{margin}rule {threshold.rule}, {threshold.parameter:g}: flags a score above {threshold.value:.6g}"
    for name, part in threshold.parts.items():
        yield f"{margin}  {name}: above {part.value:.6g} ({_counted(part)})"
    for name, told in threshold.pooled.items():
        yield f"{margin}  {name}: as all, {told}"
    yield f"{margin}{guarantee(threshold)}"
    yield f"{margin}calibrated on {_counted(threshold)}"


def _counted(threshold: Threshold) -> str:
    healthy = threshold.calibration
    return f"{len(healthy)} healthy scans" + (f" of {healthy.group_count} groups" if healthy.grouped else "")


def _attainable(threshold: Threshold) -> Iterator[str]:
    """Yield a small table of the false-alarm rates that the healthy scans can promise, if any."""
    from atypia.threshold import Threshold
    from atypia.threshold.rules import attainable

    least = attainable(threshold.calibration.group_count)
    yield f"the rule conformal can promise false-alarm rates from {least:g}:"
    yield f"  {'--fpr':>8}  flags a score above"
    for rate in (least, *(rate for rate in RATES if rate > least)):
        value = Threshold.of(threshold.calibration, "conformal", rate).value
        yield f"  {rate:8g}  {value:.6g}"


def _effect(before: Threshold, after: Threshold) -> Iterator[str]:
    yield (
        f"of the {len(before.healthy)} healthy scans of the calibration, {_flagged(before)} were flagged "
        f"before and {_flagged(after)} are now"
    )


def _flagged(threshold: Threshold) -> int:
    """Return how many of its own healthy scans a threshold flags, each by the value of its stratum."""
    healthy = threshold.calibration
    columns = healthy.taken
    values = (
        threshold.for_scan({name: columns[name][place] for name in columns})[0].value
        for place in range(len(healthy))
    )
    return sum(score > value for score, value in zip(healthy.scores, values, strict=True))
