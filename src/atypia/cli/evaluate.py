"""`evaluate`: how good a Screener is on scans whose truth is known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atypia.cli import options
from atypia.cli.command import Taught
from atypia.errors import BadOption
from atypia.notice import RESEARCH_USE_ONLY

if TYPE_CHECKING:
    from atypia.evaluation.evaluation import Evaluation
    from atypia.study import Study

SPLITS = ("train", "threshold", "validation", "test", "tumor_test")


@click.command(
    cls=Taught,
    short_help="Measure a Screener on labelled scans.",
    examples=(
        "atypia evaluate brain.atypia table.csv --root images/ -o out",
        "atypia evaluate brain.atypia --normal healthy/ --abnormal tumour/ -o out",
        "atypia evaluate brain.atypia brain-mri/ -o out --title 'All of them'",
    ),
    glossary={
        "What it writes": [
            ("report.html", "one page, with all figures in it, that opens in any browser"),
            ("metrics.json", "the figures as numbers, with their 95 % intervals and counts"),
            ("findings.csv", "a row for every scan, as 'atypia score' writes it"),
            ("figures/", "the figures of the page as PNG"),
        ]
    },
)
@click.argument("model", type=options.PATH)
@click.argument("table", required=False, type=options.PATH)
@options.out("FOLDER", "Folder for the report.")
@options.root
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    default="test",
    help="Rows of the table to use, where it has splits.",
)
@click.option("--normal", type=options.PATH, metavar="FOLDER", help="Healthy scans, instead of a table.")
@click.option("--abnormal", type=options.PATH, metavar="FOLDER", help="Abnormal scans, instead of a table.")
@click.option("--title", default="Evaluation", metavar="TEXT", help="Title of the report.")
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
    """Measure on labelled scans, and write a report.

    MODEL is what 'atypia fit' saved. TABLE is CSV or Parquet with the columns path and label, and perhaps
    split, group, kind and mask, or a folder with class folders such as healthy and tumor. An earlier report
    in the folder is replaced. The exit code is 1 where some scan could not be judged.
    """
    from atypia.destination import claim_folder
    from atypia.screener import Screener
    from atypia.study import run_study

    study = _study(table, root, split, normal, abnormal)
    screener = Screener.load(model)
    screener.use_threads(threads)
    claim_folder(out)
    evaluation = run_study(screener, study, out, title=title, command=options.command_line())
    for note in study.notes:
        click.echo(note, err=True)
    click.echo(summary(evaluation, out))
    click.get_current_context().exit(1 if evaluation.unreadable else 0)


def _study(
    table: Path | None, root: Path | None, split: str, normal: Path | None, abnormal: Path | None
) -> Study:
    from atypia.study import read_study, read_two_folders

    if table is not None and normal is None and abnormal is None:
        return read_study(table, root=root, split=split)
    if table is None and normal is not None and abnormal is not None:
        return read_two_folders(normal, abnormal)
    raise BadOption("Expected either a TABLE, or both --normal FOLDER and --abnormal FOLDER.")


def summary(evaluation: Evaluation, out: Path) -> str:
    """Return the figures as a few lines of text; a dash stands for what needs scans of the other label."""
    image, pixel = evaluation.image, evaluation.pixel
    counts = image.confusion
    lines = [
        f"{counts.normal} normal and {counts.abnormal} abnormal scans",
        f"AUROC {_figure(image.auroc)}, average precision {_figure(image.average_precision)}",
        f"at the threshold: accuracy {_figure(counts.accuracy)}, sensitivity {_figure(counts.sensitivity)}, "
        f"specificity {_figure(counts.specificity)}",
    ]
    if pixel is not None:
        lines.append(
            f"pixels: AUROC {_figure(pixel.auroc)}, average precision {_figure(pixel.average_precision)}, "
            f"Dice {_figure(pixel.dice)} (best possible {_figure(pixel.best_dice)})"
        )
    if evaluation.unreadable:
        lines.append(f"{len(evaluation.unreadable)} could not be judged: see {out / 'findings.csv'}")
    return "\n".join([*lines, f"report: {out / 'report.html'}", RESEARCH_USE_ONLY])


def _figure(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "–"
