"""`reproduce`: a published system, run whole."""

from __future__ import annotations

from pathlib import Path

import click

from atypia.cli import options
from atypia.cli.command import Taught, TaughtGroup


@click.group(cls=TaughtGroup, short_help="Run the published reference system.")
def reproduce() -> None:
    """Run a published system whole, and set its figures beside the published ones."""


@reproduce.command(
    "reference",
    cls=Taught,
    short_help="Convolutional autoencoder on a pretrained ResNet50.",
    examples=(
        "atypia reproduce reference --data brain-mri/ -o reference",
        "atypia reproduce reference --data . --table fixed.csv --weights resnet50.h5 -o reference",
        "atypia reproduce reference --data brain-mri/ --epochs 2 --no-shipped -o quick",
    ),
    glossary={
        "Rows of the result": [
            ("published", "the published figures; its test scans were trained on (LEAKS)"),
            ("as-published-*", "trained as published: the split is drawn anew in every epoch (LEAKS)"),
            ("reference-*", "the same network, on a split that stays"),
            ("shipped-*", "the autoencoder that 'atypia fit' trains, on the same split"),
        ]
    },
)
@click.option(
    "--data",
    type=options.PATH,
    metavar="FOLDER",
    required=True,
    help="Folder with Healthy/ and Tumor/; with --table, where the tables' paths start.",
)
@click.option(
    "--table",
    "tables",
    type=options.PATH,
    metavar="FILE",
    multiple=True,
    help="A fixed split; may be given again. Default: one drawn by --seed, of 1400 normal scans to learn "
    "from and 200 each for threshold, validation and test, or the same shares of fewer.",
)
@options.weights
@options.whole("--epochs", "Epochs of the reference's training.", least=1, default=80)
@click.option(
    "--as-published/--no-as-published", default=True, help="Also train as published, on the first table."
)
@click.option("--shipped/--no-shipped", default=True, help="Also fit the autoencoder that ships.")
@options.out("FOLDER", "Folder for a report of each row, reference.json and reference.md.")
@options.seed
def reference(
    data: Path,
    tables: tuple[Path, ...],
    weights: Path | None,
    epochs: int,
    as_published: bool,
    shipped: bool,
    out: Path,
    seed: int,
) -> None:
    """Convolutional autoencoder on a pretrained ResNet50, threshold at mean plus one standard deviation.

    It learns from normal slices alone and is tested on normal and tumour slices, and on a set of tumours
    only; published with an accuracy of 0.895, a sensitivity of 0.94 and a specificity of 0.85. It needs the
    extra 'train'. What is finished is not run again: give the same command to go on after an interruption.
    """
    from atypia.destination import claim_folder
    from atypia.reference import reproduce as run

    claim_folder(out)
    try:
        told = run(
            data=data,
            out=out,
            tables=tables,
            weights=weights,
            epochs=epochs,
            as_published=as_published,
            shipped=shipped,
            seed=seed,
            command=options.command_line(),
        )
    except KeyboardInterrupt as error:
        error.add_note("Give the same command again: it goes on after the last finished epoch.")
        raise
    click.echo(told)
