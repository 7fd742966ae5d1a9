"""`demo`: everything once, on data that comes with the package."""

from __future__ import annotations

from pathlib import Path

import click

from atypia.cli import options
from atypia.cli.command import Taught


@click.command(
    cls=Taught,
    short_help="Learn, judge and report on synthetic data; a few minutes.",
    examples=("atypia demo", "atypia demo -o quick --healthy 100 --abnormal 20 --epochs 5"),
)
@options.out("FOLDER", "Folder for data, Screeners and reports.", default="atypia-demo")
@options.whole("--healthy", "Healthy slices to render.", least=40, default=300)
@options.whole("--abnormal", "Slices with a tumour to render.", least=1, default=60)
@options.whole("--epochs", "Epochs of the autoencoder.", least=1, default=30)
@options.seed
def demo(out: Path, healthy: int, abnormal: int, epochs: int, seed: int) -> None:
    """Render synthetic brain slices, fit two detectors to healthy ones, judge the others, write reports.

    It needs the extra 'demo', and 'train' for the autoencoder; nothing is downloaded. The folder may be that
    of an earlier demonstration, which is replaced.
    """
    from atypia.demo import run_demo
    from atypia.destination import claim_folder

    claim_folder(out)
    told = run_demo(
        out, healthy=healthy, abnormal=abnormal, epochs=epochs, seed=seed, command=options.command_line()
    )
    click.echo(told)
