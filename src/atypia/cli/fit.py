"""`fit`: from healthy scans to a saved Screener."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atypia.cli import options
from atypia.cli import sweep as sweeping
from atypia.cli.aside import tell_aside
from atypia.cli.choice import NAMES, FitChoice
from atypia.cli.engine import ENGINE, engine
from atypia.cli.fit_scans import refuse_leaks, refuse_tumours, validation_rows, with_groups
from atypia.cli.fit_told import tell
from atypia.cli.rule import RULES, strata
from atypia.cli.settings import recipes_explained, settings_explained
from atypia.errors import OutputError
from atypia.networks.recipe import RECIPES
from atypia.reading.cutting import Cutting

if TYPE_CHECKING:
    from atypia.reading.collection import Collection
    from atypia.screener import Screener


@click.command(
    cls=sweeping.OneOrMany,
    short_help="Learn from healthy scans.",
    examples=(
        "atypia fit healthy/ -o brain.atypia",
        "atypia fit table.csv --root images/ -o brain.atypia --rule conformal --fpr 0.05",
        "atypia fit table.csv -o brain.atypia --rule conformal --fpr 0.1 --strata plane",
        "atypia fit healthy/ -o quick.atypia --detector nearest",
        "atypia fit healthy/ -o lesions.atypia --detector lesion-simulation --set steps=2000",
        "atypia fit healthy/ -o three.atypia --set members=lesion-simulation,patchcore,atlas",
        "atypia fit healthy/ -o soon.atypia --set lesion-simulation.steps=300",
        "atypia fit healthy/ -o vae.atypia --recipe vae --set code=32 --epochs 60",
        "atypia fit healthy-volumes/ -o brain.atypia --plane axial,coronal",
        "atypia fit healthy/ -o brain.atypia --resume",
        "atypia fit --sweep sites.toml --engine ray --address 10.0.0.1:6379",
    ),
    glossary={
        "Detectors": list(NAMES.items()),
        "Recipes": recipes_explained(),
        "Settings of the recipe autoencoder, for --set": settings_explained(),
    },
)
@click.argument("scans", nargs=-1, type=options.PATH, metavar="SCANS...")
@options.out("FILE", "The Screener to write, such as brain.atypia.", required=False)
@options.root
@click.option(
    "--detector",
    type=click.Choice(list(NAMES)),
    metavar="NAME",
    help="One of those listed below. Default: ensemble, which needs the extra 'train'; without it nearest.",
)
@click.option(
    "--encoder",
    metavar="NAME",
    default="auto",
    help="Pretrained network to build on: auto, resnet50, efficientnet-lite0, keras:MODEL (of "
    "keras.applications, such as keras:ConvNeXtTiny) or hub:MODEL (of keras-hub, such as hub:dinov2_small). "
    "auto: resnet50 if its weights are on this machine or named, else efficientnet-lite0, which comes with "
    "Atypia.",
)
@options.weights
@click.option(
    "--recipe",
    type=click.Choice(list(RECIPES)),
    metavar="NAME",
    help="Ready settings of the autoencoder, listed below; it is then the detector.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change one setting of the detector, of the recipe, or of a member of the ensemble "
    "(MEMBER.NAME=VALUE); may be given again.",
)
@options.whole("--epochs", "Epochs of the autoencoder. Default: the recipe's.", least=1)
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
@options.planes(
    "that of each volume's acquisition. The Screener cuts volumes in the planes that it has learned from."
)
@options.strip
@options.volume
@click.option(
    "--position/--no-position",
    "by_position",
    default=None,
    help="Compare slices of volumes with healthy slices of the same position. Default: yes, where slices of "
    "10 patients or more are kept aside.",
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
@sweeping.option
@engine("fits one Screener of a sweep at a time")
def fit(
    scans: tuple[Path, ...],
    out: Path,
    root: Path | None,
    planes: tuple[str, ...],
    strip: str,
    volume: str | None,
    cluster: bool,
    allow_leak: bool,
    seed: int,
    sweep: Path | None,
    **chosen: Any,
) -> None:
    """Learn what healthy scans look like, and calibrate on healthy scans that were kept aside.

    SCANS are folders, pictures, volumes or tables. A table is CSV or Parquet with the column path and, where
    known, label, split, group, kind and mask. Of a table with splits the rows train and threshold are used;
    of anything else a fifth, whole groups together, is kept aside for the threshold; near-copies are the
    groups of scans that name none. A table whose groups stand on several sides is refused. The exit code is 1
    where some scan could not be read and was left out.
    """
    from atypia.reading.stripping import check_method

    context = click.get_current_context()
    where = {name: chosen.pop(name) for name in ENGINE}
    if sweep is not None:
        context.exit(sweeping.fit_all(context, sweep, chosen["threads"], **where))
    sweeping.refuse_cluster(**where)
    check_method(strip)
    choice = FitChoice(**chosen)
    collection = _healthy(scans, root, Cutting(planes, strip, volume), out, allow_leak=allow_leak)
    screener = _learned(choice, collection, out, seed, cluster=cluster, allow_leak=allow_leak)
    context.exit(1 if tell(screener, out) else 0)


def _healthy(
    scans: tuple[Path, ...], root: Path | None, cutting: Cutting, out: Path, *, allow_leak: bool
) -> Collection:
    """List the scans; raise BadTable where not all may be learned from."""
    from atypia.reading.collection import read_collections

    collection = read_collections(scans, root=root, cutting=cutting)
    tell_aside(collection)
    refuse_tumours(scans, collection, out)
    refuse_leaks(collection, allow=allow_leak)
    return collection


def _learned(
    choice: FitChoice, collection: Collection, out: Path, seed: int, *, cluster: bool, allow_leak: bool
) -> Screener:
    """Fit a Screener and save it."""
    from atypia.destination import claim_file, held_file
    from atypia.recognition.mixture import mixed_note

    labelled = validation_rows(collection) if choice.validation else None
    screener = choice.screener()
    claim_file(out)
    with held_file(out):
        click.echo(choice.told(), err=True)
        if note := mixed_note(collection, seed):
            click.echo(note, err=True)
        if cluster:
            collection = _with_groups(collection, allow_leak=allow_leak)
        with _work_folder(out, resume=choice.resume) as work:
            screener.fit(
                collection, labelled=labelled, seed=seed, work=work, resume=choice.resume, processes=True
            )
            screener.save(out)
    return screener


def _with_groups(collection: Collection, *, allow_leak: bool) -> Collection:
    grouped = with_groups(collection)
    if not collection.has_groups:
        refuse_leaks(grouped, allow=allow_leak)
    return grouped


@contextmanager
def _work_folder(out: Path, *, resume: bool) -> Iterator[Path]:
    """Yield the folder beside `out` for what an interrupted training goes on from; it goes when all is done.

    Where the work is cut short the user hears that it can go on, if it can; else the folder goes too.
    """
    work = out.with_name(f"{out.name}.work")
    if resume and not _checkpoints(work):
        click.echo(f"{work}: no training to go on with; starting anew", err=True)
    try:
        yield work
    except BaseException as error:
        if not _checkpoints(work):
            shutil.rmtree(work, ignore_errors=True)
        elif isinstance(error, KeyboardInterrupt | MemoryError | OutputError):
            error.add_note("The finished epochs are kept: add --resume to the same command to go on.")
        raise
    shutil.rmtree(work, ignore_errors=True)


def _checkpoints(work: Path) -> bool:
    """Tell whether a detector, or a member of the ensemble, has left a training to go on with."""
    return any(work.rglob("checkpoint.npz"))
