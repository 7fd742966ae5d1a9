"""`score` and `evaluate`: everything that judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from atypia.cli import options
from atypia.errors import BadOption

FORMATS = ("csv", "jsonl", "parquet")


@click.command(short_help="Judge scans with a fitted Screener.")
@click.argument("model", type=options.ANY)
@click.argument("scans", nargs=-1, required=True, type=options.EXISTING)
@options.out("Folder for the findings.")
@options.root
@click.option(
    "--format", "kind", type=click.Choice(FORMATS), default="csv", show_default=True, help="Kind of table."
)
@click.option("--heatmaps", is_flag=True, help="Also write a PNG of every scan with its heat map.")
@options.threads
def score(
    model: Path,
    scans: tuple[Path, ...],
    out: Path,
    root: Path | None,
    kind: str,
    heatmaps: bool,
    threads: int | None,
) -> None:
    r"""Judge scans: OUT/findings.csv has a row for each, also for those that could not be read.

    SCANS are pictures, folders or tables. The columns: name, verdict (normal, abnormal, unreadable), score
    (higher is more abnormal), p_value (share of healthy calibration scans that score as high), threshold,
    flagged, error. The exit code is 1 where some scan could not be judged.

    \b
    Examples:
      atypia score brain.atypia scans/ -o out
      atypia score brain.atypia a.png b.png -o out --heatmaps --format parquet
    """
    from atypia.reading.collection import read_collections
    from atypia.screening import score_to_folder

    tally = score_to_folder(load(model, threads), read_collections(scans, root=root), out, kind, heatmaps)
    click.echo(
        f"{tally.judged} scans judged, {tally.flagged} abnormal, {tally.unreadable} unreadable\n"
        f"findings in {tally.table}\nResearch use only. Not a medical device."
    )
    if tally.unreadable:
        click.get_current_context().exit(1)


@click.command(short_help="Measure a Screener on labelled scans.")
@click.argument("model", type=options.ANY)
@click.argument("table", required=False, type=options.EXISTING)
@options.out("Folder for metrics.json, report.html, findings.csv and figures/.")
@options.root
@click.option(
    "--split", default="test", show_default=True, help="Rows of the table to use, where it has splits."
)
@click.option("--normal", type=options.FOLDER, help="Folder of healthy scans, instead of a table.")
@click.option("--abnormal", type=options.FOLDER, help="Folder of abnormal scans, instead of a table.")
@click.option("--title", default="Evaluation", show_default=True, help="Title of the report.")
@options.threads
def evaluate(
    model: Path,
    table: Path | None,
    out: Path,
    root: Path | None,
    split: str,
    normal: Path | None,
    abnormal: Path | None,
    title: str,
    threads: int | None,
) -> None:
    r"""Measure on labelled scans, and write a report that opens in any browser.

    \b
    Examples:
      atypia evaluate brain.atypia table.csv --root images/ -o out
      atypia evaluate brain.atypia --normal healthy/ --abnormal tumour/ -o out
    """
    from atypia.study import Telling, read_study, read_two_folders, run_study, split_notes

    if table is not None and not (normal or abnormal):
        chosen = read_study(table, root, split)
        notes = split_notes(table, root)
    elif table is None and normal and abnormal:
        chosen, notes = read_two_folders(normal, abnormal), ()
    else:
        raise BadOption("Expected either a TABLE or both --normal DIR and --abnormal DIR.")
    telling = Telling(title, notes, options.command_line())
    evaluation = run_study(load(model, threads), chosen, out, telling=telling)
    click.echo(summary(evaluation, out))
    if evaluation.unreadable:
        click.get_current_context().exit(1)


def load(model: Path, threads: int | None) -> Any:
    """Load a Screener and bound its threads."""
    from atypia.screener import Screener

    screener = Screener.load(model)
    screener.use_threads(threads)
    return screener


def summary(evaluation: Any, out: Path) -> str:
    """Return the figures as a few lines of text."""
    image, pixel = evaluation.image, evaluation.pixel
    lines = [
        f"AUROC {image.auroc:.3f}   average precision {image.average_precision:.3f}",
        f"at the threshold: accuracy {image.confusion.accuracy:.3f}, sensitivity {image.confusion.sensitivity:.3f}, "
        f"specificity {image.confusion.specificity:.3f}",
    ]
    if pixel is not None:
        lines.append(
            f"pixels: AUROC {pixel.auroc:.3f}, average precision {pixel.average_precision:.3f}, Dice {pixel.dice:.3f} "
            f"(best possible {pixel.best_dice:.3f})"
        )
    if evaluation.unreadable:
        lines.append(f"{len(evaluation.unreadable)} scans could not be judged: see findings.csv")
    return "\n".join([*lines, f"report: {out / 'report.html'}", "Research use only. Not a medical device."])
