"""`demo` and `info`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from atypia.cli import options


@click.command(short_help="Learn, judge and report on synthetic data; a few minutes.")
@options.out("Folder for data, Screeners and reports.", default="atypia-demo")
@click.option(
    "--healthy", type=click.IntRange(40), default=300, show_default=True, help="Healthy slices to render."
)
@click.option(
    "--abnormal",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    help="Slices with a tumour to render.",
)
@click.option(
    "--epochs", type=click.IntRange(1), default=15, show_default=True, help="Epochs of the autoencoder."
)
@options.seed
def demo(out: Path, healthy: int, abnormal: int, epochs: int, seed: int) -> None:
    """Render synthetic brain slices, fit two detectors on the healthy ones, judge the rest, write reports.

    Everything that it needs is in the package; nothing is downloaded.
    """
    from atypia.demo import run_demo

    click.echo(run_demo(out, healthy=healthy, abnormal=abnormal, epochs=epochs, seed=seed))


@click.command(short_help="Tell what a saved Screener is.")
@click.argument("model", type=options.ANY)
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def info(model: Path, as_json: bool) -> None:
    """Print the card of a saved Screener: what it learned from, how it prepares, scores and decides."""
    from atypia.screener import Screener

    card = Screener.load(model).card()
    if as_json:
        click.echo(json.dumps(card, indent=1))
        return
    for part, values in card.items():
        click.echo(part)
        for name, value in values.items():
            click.echo(f"  {name:24} {value}")
