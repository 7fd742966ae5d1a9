"""`fit` and `reproduce`: everything that learns."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import click

from atypia.cli import options
from atypia.networks.recipe import RECIPES
from atypia.threshold import RULES

DETECTORS = ("autoencoder", "nearest")


@click.command(short_help="Learn from healthy scans.")
@click.argument("scans", nargs=-1, required=True, type=options.EXISTING)
@options.out("The Screener to write, as brain.atypia.")
@options.root
@click.option(
    "--detector",
    type=click.Choice(DETECTORS),
    help="Default: autoencoder where Keras is installed, else nearest.",
)
@click.option(
    "--recipe",
    type=click.Choice(list(RECIPES)),
    default="autoencoder",
    show_default=True,
    help="Ready settings of the autoencoder; 'reference' is the published system.",
)
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Change one setting of the recipe."
)
@click.option("--epochs", type=click.IntRange(1), help="Epochs of training. Default: the recipe's.")
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="Default: the recipe's.")
@click.option(
    "--encoder",
    type=click.Choice(["auto", "resnet50", "efficientnet-lite0"]),
    default="auto",
    show_default=True,
    help="Pretrained network; auto takes resnet50 if its weights are at hand, else the embedded one.",
)
@options.weights
@click.option(
    "--rule", type=click.Choice(list(RULES)), default="mean+std", show_default=True, help="Threshold's rule."
)
@click.option(
    "--parameter",
    type=float,
    help="Standard deviations for mean+std (default 1), or the quantile (default 0.95).",
)
@click.option(
    "--size",
    type=click.IntRange(32),
    default=224,
    show_default=True,
    help="Pixels a side that the networks see.",
)
@click.option("--crop/--no-crop", default=True, show_default=True, help="Crop to the head.")
@click.option(
    "--validation",
    is_flag=True,
    help="Report the loss of the table's validation rows each epoch; it chooses nothing.",
)
@click.option("--resume", is_flag=True, help="Go on with a training that was interrupted.")
@options.seed
@options.threads
def fit(
    scans: tuple[Path, ...],
    out: Path,
    root: Path | None,
    validation: bool,
    resume: bool,
    seed: int,
    **chosen: Any,
) -> None:
    r"""Learn what healthy scans look like, and calibrate on healthy scans that were kept aside.

    SCANS are folders, pictures or tables (CSV or Parquet with the column path, and perhaps label, split,
    group, kind, mask). Of a table with splits, the rows `train` and `threshold` are used; else a fifth,
    whole groups together, is kept aside for the threshold.

    \b
    Examples:
      atypia fit healthy/ -o brain.atypia
      atypia fit table.csv --root images/ -o brain.atypia --rule quantile --parameter 0.95
      atypia fit healthy/ -o brain.atypia --recipe vae --set code=32 --epochs 60
    """
    from atypia.reading.collection import read_collections

    collection = read_collections(scans, root=root)
    screener = _screener(chosen)
    work = out.with_name(out.name + ".work")
    labelled = collection.select(split="validation") if validation else None
    screener.fit(collection, labelled=labelled, seed=seed, work=work, resume=resume)
    screener.save(out)
    shutil.rmtree(work, ignore_errors=True)
    _tell_fit(screener, out)


def _screener(chosen: dict[str, Any]) -> Any:
    from atypia.detectors import Autoencoder, Nearest
    from atypia.keras_backend import available
    from atypia.preparation import Preparation
    from atypia.screener import Screener

    recipe = options.recipe_of(
        chosen["recipe"],
        chosen["settings"],
        encoder=chosen["encoder"],
        epochs=chosen["epochs"],
        learning_rate=chosen["learning_rate"],
    )
    name = chosen["detector"] or ("autoencoder" if available() else "nearest")
    if name == "autoencoder":
        detector: Any = Autoencoder(recipe, chosen["weights"], chosen["threads"])
    else:
        detector = Nearest(chosen["encoder"], chosen["weights"], chosen["threads"])
    preparation = (
        Preparation(size=chosen["size"], crop=False, aspect="stretch", intensity="range")
        if chosen["recipe"] == "reference" and name == "autoencoder"
        else Preparation(size=chosen["size"], crop=chosen["crop"])
    )
    return Screener(detector, preparation, chosen["rule"], chosen["parameter"])


def _tell_fit(screener: Any, out: Path) -> None:
    report = screener.report_
    for name, error in report.unreadable[:10]:
        click.echo(f"left out: {name}: {error}", err=True)
    if len(report.unreadable) > 10:
        click.echo(f"left out: {len(report.unreadable) - 10} more", err=True)
    encoder = screener.detector.state().parameters.get("encoder") or {"name": "its own"}
    click.echo(
        f"learned from {report.train} healthy scans, calibrated on {report.calibration} others\n"
        f"detector {screener.detector.name}, encoder {encoder['name']}, threshold "
        f"{screener.threshold_.value:.4g} ({screener.rule})\n"
        f"saved {out}\nnext: atypia score {out} SCANS -o findings"
    )


@click.group(short_help="Run the published reference system.")
def reproduce() -> None:
    """Run a published system whole, and set its figures beside the published ones."""


@reproduce.command("reference")
@click.option(
    "--data",
    type=options.FOLDER,
    required=True,
    help="Folder with Healthy/ and Tumor/, or the root of the tables.",
)
@click.option(
    "--table",
    "tables",
    type=options.FILE,
    multiple=True,
    help="Fixed splits. Default: 1400/200/200+200, drawn by --seed.",
)
@options.weights
@click.option("--epochs", type=click.IntRange(1), default=80, show_default=True)
@click.option(
    "--as-published/--no-as-published",
    default=True,
    show_default=True,
    help="Also train as published: the split reshuffled every epoch, so that the test normals are learned (LEAKS).",
)
@click.option(
    "--shipped/--no-shipped",
    default=True,
    show_default=True,
    help="Also fit the autoencoder that ships, on the same tables.",
)
@options.out("Folder for a report of each run, reference.json and reference.md.")
@options.seed
def reproduce_reference(out: Path, **chosen: Any) -> None:
    """Convolutional autoencoder on a pretrained ResNet50, threshold at mean + standard deviation.

    Trained on normal slices alone, tested on normal and tumour slices and on a tumour-only set, as
    published with accuracy 0.895, sensitivity 0.94 and specificity 0.85. A run that was interrupted goes
    on where it stopped when the command is given again.
    """
    from atypia.reference import reproduce as run

    click.echo(run(out=out, command=options.command_line(), **chosen))
