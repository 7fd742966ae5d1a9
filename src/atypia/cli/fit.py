"""`fit`: from healthy scans to a saved Screener."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atypia.cli import options
from atypia.cli.choice import FitChoice
from atypia.cli.command import Taught
from atypia.cli.settings import recipes_explained, settings_explained
from atypia.errors import BadOption, BadTable, OutputError
from atypia.networks.recipe import RECIPES

if TYPE_CHECKING:
    from atypia.reading.collection import Collection
    from atypia.screener import Screener

DETECTORS = ("autoencoder", "nearest")
ENCODERS = ("auto", "resnet50", "efficientnet-lite0")
RULES = ("mean+std", "quantile")
LISTED = 10


@click.command(
    cls=Taught,
    short_help="Learn from healthy scans.",
    examples=(
        "atypia fit healthy/ -o brain.atypia",
        "atypia fit table.csv --root images/ -o brain.atypia --rule quantile --parameter 0.95",
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
    "scans that shall pass, by default 0.95.",
)
@options.whole("--size", "Pixels a side that the networks see.", least=32, default=224)
@click.option(
    "--crop/--no-crop",
    default=None,
    help="Crop to the head. Default: yes, but for the recipe reference, which sees the picture as it is.",
)
@options.seed
@options.threads
def fit(scans: tuple[Path, ...], out: Path, root: Path | None, seed: int, **chosen: Any) -> None:
    """Learn what healthy scans look like, and calibrate on healthy scans that were kept aside.

    SCANS are folders, pictures or tables. A table is CSV or Parquet with the column path and, where known,
    label, split, group, kind and mask. Of a table with splits the rows train and threshold are used; of
    anything else a fifth, whole groups together, is kept aside for the threshold. The exit code is 1 where
    some scan could not be read and was left out.
    """
    from atypia.destination import claim_file
    from atypia.reading.collection import read_collections

    choice = FitChoice(**chosen)
    collection = read_collections(scans, root=root)
    _refuse_tumours(scans, collection, out)
    labelled = _validation_rows(collection) if choice.validation else None
    screener = choice.screener()
    claim_file(out)
    click.echo(choice.told(), err=True)
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
        f"saved {out}\n"
        f"next: {_line('score', out)} SCANS -o findings"
    )
    return len(report.unreadable)
