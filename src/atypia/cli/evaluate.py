"""`evaluate`: how good a Screener is on scans whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atypia.cli import options
from atypia.cli import pretrained as shipped
from atypia.cli.command import Taught
from atypia.errors import BadOption
from atypia.notice import RESEARCH_USE_ONLY

if TYPE_CHECKING:
    from atypia.evaluation.evaluation import Evaluation
    from atypia.evaluation.image_metrics import ImageMetrics
    from atypia.evaluation.intervals import Interval
    from atypia.evaluation.pixel_metrics import PixelMetrics
    from atypia.reading.cutting import Cutting
    from atypia.study import Study

SPLITS = ("train", "threshold", "validation", "test", "tumor_test")


@click.command(
    cls=Taught,
    short_help="Measure a Screener on labelled scans.",
    examples=(
        "atypia evaluate brain.atypia table.csv --root images/ -o out",
        "atypia evaluate --pretrained synthetic table.csv --root images/ -o out",
        "atypia evaluate brain.atypia --normal other-healthy/ --abnormal tumour/ -o out",
        "atypia evaluate brain.atypia brain-mri/ -o out --title 'All of them'",
    ),
    glossary={
        "What it writes": [
            ("report.html", "one page, with all figures in it, that opens in any browser"),
            ("metrics.json", "the figures as numbers, with their 95 % intervals and counts"),
            ("findings.csv", "a row for every scan, as 'atypia score' writes it"),
            ("figures/", "the figures of the page as PNG"),
            ("model-card.md", "what the Screener is, what was measured of it, and where it is weak"),
        ]
    },
)
@click.argument("model", required=False, type=options.PATH)
@click.argument("table", required=False, type=options.PATH)
@shipped.option
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
@options.allow_leak
@click.option(
    "--record", is_flag=True, help="Also record the figures in the file of the Screener, for its model card."
)
@click.option("--title", default="Evaluation", metavar="TEXT", help="Title of the report.")
@options.threads
def evaluate(
    model: Path | None,
    table: Path | None,
    pretrained: str | None,
    out: Path,
    root: Path | None,
    split: str,
    normal: Path | None,
    abnormal: Path | None,
    allow_leak: bool,
    record: bool,
    title: str,
    threads: int | None,
) -> None:
    """Measure on labelled scans, and write a report.

    MODEL is what 'atypia fit' saved; --pretrained needs none. TABLE is CSV or Parquet with the columns
    path and label, and perhaps split, group, kind, plane, sequence, scanner and mask, or a folder with
    class folders such as healthy and tumor. Intervals are by bootstrap over groups; where none is named,
    near-copies are found and clustered. What trivial numbers such as the size of the file reach stands
    beside every detector's figures. A split that leaks is refused. An earlier report in the folder is
    replaced. The exit code is 1 where some scan could not be judged.
    """
    from atypia.destination import claim_folder
    from atypia.screener import Screener
    from atypia.study import run_study

    file, words = shipped.model_and_rest(pretrained, model, () if table is None else (table,))
    if record and pretrained:
        raise BadOption("--record writes into the file of a Screener of your own; --pretrained names none.")
    if len(words) > 1:
        raise BadOption(f"Expected one TABLE beside --pretrained; received {len(words)}.")
    table = words[0] if words else None
    screener = Screener.load(file)
    screener.use_threads(threads)
    study = _study(table, root, split, normal, abnormal, allow_leak=allow_leak, cutting=screener.cutting)
    claim_folder(out)
    evaluation = run_study(screener, study, out, title=title, command=options.command_line())
    if record:
        screener.use_threads(None)
        screener.save(file)
    for note in dict.fromkeys((*evaluation.leaks, *study.notes, *evaluation.cautions)):
        click.echo(note, err=True)
    click.echo(summary(evaluation, out))
    click.get_current_context().exit(1 if evaluation.unreadable else 0)


def _study(
    table: Path | None,
    root: Path | None,
    split: str,
    normal: Path | None,
    abnormal: Path | None,
    *,
    allow_leak: bool,
    cutting: Cutting,
) -> Study:
    from atypia.study import read_study, read_two_folders

    if table is not None and normal is None and abnormal is None:
        return read_study(table, root=root, split=split, allow_leak=allow_leak, cutting=cutting)
    if table is None and normal is not None and abnormal is not None:
        return read_two_folders(normal, abnormal, allow_leak=allow_leak, cutting=cutting)
    raise BadOption("Expected either a TABLE, or both --normal FOLDER and --abnormal FOLDER.")


def summary(evaluation: Evaluation, out: Path) -> str:
    """Return the figures as a few lines of text; a dash stands for what needs scans of the other label.

    Where scans were learned from, every line with figures begins with LEAKS.
    """
    from atypia.evaluation.leaks import WORD

    mark = f"{WORD}: " if evaluation.leaks else ""
    lines = [f"{mark}{line}" for line in _figure_lines(evaluation)]
    if evaluation.unfit:
        lines.append(f"{len(evaluation.unfit)} unfit to be judged, in no figure: {_unfit(evaluation)}")
    if evaluation.unreadable:
        lines.append(f"{len(evaluation.unreadable)} could not be judged: see {out / 'findings.csv'}")
    return "\n".join([*lines, f"report: {out / 'report.html'}", RESEARCH_USE_ONLY])


def _figure_lines(evaluation: Evaluation) -> Iterator[str]:
    image, pixel = evaluation.image, evaluation.pixel
    counts = image.confusion
    yield f"{counts.normal} normal and {counts.abnormal} abnormal scans"
    yield f"AUROC {_sure(image, 'auroc')}, average precision {_sure(image, 'average_precision')}"
    if evaluation.baselines and (best := evaluation.baselines.best):
        beaten = {True: "beaten", False: "not beaten beyond chance", None: "no interval"}[best.beaten]
        yield f"best trivial baseline: {best.name}, AUROC {_with(best.auroc, best.interval)}: {beaten}"
    yield (
        f"at the threshold: accuracy {_sure(image, 'accuracy')}, sensitivity {_sure(image, 'sensitivity')}, "
        f"specificity {_sure(image, 'specificity')}"
    )
    if math.isfinite(image.alpha) and counts.normal:
        rate = _with(image.false_alarm_rate, image.false_alarm_binomial)
        yield f"false alarms: {rate}, of {100 * image.alpha:g} % asked for"
    if evaluation.patient is not None:
        patient = evaluation.patient.image
        yield (
            f"patients, by their three highest scans: AUROC {_sure(patient, 'auroc')}; at p <= "
            f"{patient.alpha:g}: sensitivity {_sure(patient, 'sensitivity')}, specificity "
            f"{_sure(patient, 'specificity')}"
        )
    if pixel is not None:
        yield f"pixels: AUROC {_sure(pixel, 'auroc')}, average precision {_sure(pixel, 'average_precision')}"
        yield (
            f"pixels: AUPRO {_sure(pixel, 'aupro')}, Dice {_sure(pixel, 'dice')}, best possible Dice "
            f"{_sure(pixel, 'best_dice')}"
        )


def _unfit(evaluation: Evaluation) -> str:
    shares = [
        f"{100 * share:.1f} % of the {word}"
        for word, abnormal in (("normal", False), ("abnormal", True))
        if math.isfinite(share := evaluation.unfit_share(abnormal=abnormal))
    ]
    return " and ".join(shares)


def _sure(metrics: ImageMetrics | PixelMetrics, name: str) -> str:
    return _with(metrics.figures[name], metrics.interval(name))


def _with(value: float, interval: Interval) -> str:
    """Return a figure with its 95 % interval, where there is one."""
    if not math.isfinite(interval[0]):
        return _figure(value)
    return f"{_figure(value)} ({interval[0]:.3f} to {interval[1]:.3f})"


def _figure(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "–"
