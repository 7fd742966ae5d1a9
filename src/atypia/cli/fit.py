"""`fit`: from healthy scans to a saved Screener."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atypia.cli import options
from atypia.cli.choice import FitChoice
from atypia.cli.command import Taught
from atypia.cli.rule import RULES, strata
from atypia.cli.settings import recipes_explained, settings_explained
from atypia.errors import BadOption, BadTable, OutputError
from atypia.networks.recipe import RECIPES

if TYPE_CHECKING:
    from atypia.reading.collection import Collection
    from atypia.screener import Screener
    from atypia.threshold import Threshold

DETECTORS = ("autoencoder", "nearest")
ENCODERS = ("auto", "resnet50", "efficientnet-lite0")
LISTED = 10


@click.command(
    cls=Taught,
    short_help="Learn from healthy scans.",
    examples=(
        "atypia fit healthy/ -o brain.atypia",
        "atypia fit table.csv --root images/ -o brain.atypia --rule conformal --fpr 0.05",
        "atypia fit table.csv -o brain.atypia --rule conformal --fpr 0.1 --strata plane",
        "atypia fit healthy/ -o quick.atypia --detector nearest",
        "atypia fit healthy/ -o vae.atypia --recipe vae --set code=32 --epochs 60",
        "atypia fit healthy/ -o brain.atypia --resume",
    ),
    glossary={
        "Recipes": recipes_explained(),
        "Settings of the recipe autoencoder, for --set": settings_explained(),
    },
)
@click.argument("scans", nargs=-1, required=True, type=options.PATH)
@options.out("FILE", "The Screener to write, such as brain.atypia.")
@options.root
@click.option(
    "--detector",
    type=click.Choice(DETECTORS),
    help="Default: autoencoder, which needs the extra 'train'; without it nearest, which trains no network.",
)
@click.option(
    "--encoder",
    type=click.Choice(ENCODERS),
    default="auto",
    help="Pretrained network that both build on. auto: resnet50 if its weights are on this machine or named, "
    "else efficientnet-lite0, which comes with Atypia.",
)
@options.weights
@click.option(
    "--recipe",
    type=click.Choice(list(RECIPES)),
    metavar="NAME",
    help="Ready settings of the autoencoder, listed below. Default: autoencoder.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change one setting of the recipe; may be given again.",
)
@options.whole("--epochs", "Epochs of training. Default: the recipe's.", least=1)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    metavar="X",
    help="Default: the recipe's.",
)
@click.option(
    "--validation",
    is_flag=True,
    help="Tell the loss on the table's rows of the split 'validation' in each epoch; it chooses nothing.",
)
@click.option("--resume", is_flag=True, help="Go on with a training that was interrupted.")
@click.option(
    "--rule",
    type=click.Choice(RULES),
    default="mean+std",
    help="How the threshold follows from the scores of the healthy scans kept aside.",
)
@click.option(
    "--parameter",
    type=float,
    metavar="X",
    help="Of mean+std the number of standard deviations, by default 1; of quantile the share of healthy "
    "scans that shall pass, by default 0.95; of conformal the false-alarm rate, by default 0.05.",
)
@click.option(
    "--fpr",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="X",
    help="False-alarm rate: the share of healthy scans that may be flagged. It is the parameter of "
    "conformal, which keeps it, and 1 minus that of quantile.",
)
@strata(
    "Columns of the table on how scans were taken (plane, sequence, scanner), with commas between them: each "
    "stratum with enough healthy scans gets a threshold of its own. Default: none.",
    "none",
)
@options.whole("--size", "Pixels a side that the networks see.", least=32, default=224)
@click.option(
    "--crop/--no-crop",
    default=None,
    help="Crop to the head. Default: yes, but for the recipe reference, which sees the picture as it is.",
)
@click.option(
    "--no-fitness-check",
    is_flag=True,
    help="Do not learn what scans look like by acquisition: CT, photographs and noise are then judged like "
    "any scan, instead of being called unfit.",
)
@options.cluster
@options.allow_leak
@options.seed
@options.threads
def fit(
    scans: tuple[Path, ...],
    out: Path,
    root: Path | None,
    cluster: bool,
    allow_leak: bool,
    seed: int,
    **chosen: Any,
) -> None:
    """Learn what healthy scans look like, and calibrate on healthy scans that were kept aside.

    SCANS are folders, pictures or tables. A table is CSV or Parquet with the column path and, where known,
    label, split, group, kind and mask. Of a table with splits the rows train and threshold are used; of
    anything else a fifth, whole groups together, is kept aside for the threshold; near-copies are the groups
    of scans that name none. A table whose groups stand on several sides is refused. The exit code is 1 where
    some scan could not be read and was left out.
    """
    from atypia.destination import claim_file
    from atypia.reading.collection import read_collections

    choice = FitChoice(**chosen)
    collection = read_collections(scans, root=root)
    _refuse_tumours(scans, collection, out)
    _refuse_leaks(collection, allow=allow_leak)
    labelled = _validation_rows(collection) if choice.validation else None
    screener = choice.screener()
    claim_file(out)
    click.echo(choice.told(), err=True)
    if cluster:
        grouped, collection = collection.has_groups, _clustered(collection)
        if not grouped:
            _refuse_leaks(collection, allow=allow_leak)
    with _work_folder(out, resume=choice.resume) as work:
        screener.fit(collection, labelled=labelled, seed=seed, work=work, resume=choice.resume)
        screener.save(out)
    left_out = _tell(screener, out)
    click.get_current_context().exit(1 if left_out else 0)


def _refuse_tumours(scans: tuple[Path, ...], collection: Collection, out: Path) -> None:
    """Raise BadTable for abnormal scans that no split keeps from being learned, with what to type instead."""
    abnormal = collection.select(label="abnormal")
    if collection.has_splits or not len(abnormal):
        return
    told = (
        f"{collection.source}: expected healthy scans alone, or a table with splits; received "
        f"{len(abnormal)} abnormal ones of {len(collection)}, such as {abnormal.rows[0].name}."
    )
    table = out.with_name("table.csv")
    if healthy := _healthy_folders(collection):
        told += f" Learn from the healthy ones alone:\n  {_line('fit', *healthy, '-o', out)}\nor part them,"
    else:
        told += " Part them,"
    first, second = _line("split", *scans, "-o", table), _line("fit", table, "-o", out)
    raise BadTable(f"{told} to learn from some and test on the others:\n  {first}\n  {second}")


def _refuse_leaks(collection: Collection, *, allow: bool) -> None:
    """Raise BadTable where groups cross the splits of a table; where that is allowed, say so."""
    from atypia.evaluation.leaks import calibration_leak, demand_no_leak, leak_note

    leaks = [note for note in (leak_note(collection), calibration_leak(collection)) if note]
    demand_no_leak(collection.source, leaks, allow=allow)
    for note in leaks:
        click.echo(note, err=True)


def _clustered(collection: Collection) -> Collection:
    """Give scans without a group that of their near-copies, where copies on two sides would mislead.

    That is where scans must be kept aside, and where a table has splits and names no group at all.
    """
    from atypia.copies import cluster_ungrouped

    looked_at = collection
    if collection.has_splits and collection.has_groups:
        if len(collection.select(split="threshold")):
            return collection
        looked_at = collection.select(split="train")
    clustered, note = cluster_ungrouped(looked_at)
    if note:
        click.echo(note, err=True)
    groups = {row.name: row for row in clustered}
    return replace(collection, rows=tuple(groups.get(row.name, row) for row in collection))


def _healthy_folders(collection: Collection) -> list[Path]:
    """Return the class folders, if few, that hold all the scans whose folder calls them healthy."""
    from atypia.reading.folder import label_of

    found = {
        folder
        for row in collection.select(label="normal")
        for folder in row.path.parents
        if label_of(folder.name) == "normal"
    }
    return sorted(found) if len(found) <= 3 else []


def _line(*words: object) -> str:
    return shlex.join(["atypia", *map(str, words)])


def _validation_rows(collection: Collection) -> Collection:
    rows = collection.select(split="validation")
    if not len(rows):
        raise BadOption(
            f"--validation: expected rows whose split is validation in {collection.source}, received none. "
            "Make some with 'atypia split --validation', or leave the option out."
        )
    return rows


@contextmanager
def _work_folder(out: Path, *, resume: bool) -> Iterator[Path]:
    """Yield the folder beside `out` for what an interrupted training goes on from; it goes when all is done.

    Where the work is cut short the user hears that it can go on, if it can; else the folder goes too.
    """
    work = out.with_name(f"{out.name}.work")
    checkpoint = work / "checkpoint.npz"
    if resume and not checkpoint.exists():
        click.echo(f"{work}: no training to go on with; starting anew", err=True)
    try:
        yield work
    except BaseException as error:
        if not checkpoint.exists():
            shutil.rmtree(work, ignore_errors=True)
        elif isinstance(error, KeyboardInterrupt | OutputError):
            error.add_note("The finished epochs are kept: add --resume to the same command to go on.")
        raise
    shutil.rmtree(work, ignore_errors=True)


def _tell(screener: Screener, out: Path) -> int:
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
        f"saved {out}\n"
        f"next: {_line('score', out)} SCANS -o findings"
    )
    return len(report.unreadable)


def _checked(screener: Screener) -> str:
    """Return what to know of the fitness check: what was left out of it, or that there is none."""
    if screener.fitness_ is None:
        return "no fitness check: scans of any kind are judged\n"
    left_out = screener.fitness_.left_out
    told = f"{left_out} of these healthy scans look like CT; new ones that do are called unfit\n"
    return told if left_out else ""


def _promised(threshold: Threshold) -> str:
    """Return the thresholds of the strata, and what they promise where they promise anything."""
    from atypia.threshold.guarantee import guarantee

    lines = [f"  {name}: {part.value:.4g}" for name, part in threshold.parts.items()]
    if threshold.rule == "conformal":
        lines.append(guarantee(threshold))
    return "".join(f"{line}\n" for line in lines)
