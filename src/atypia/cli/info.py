"""`info`: what a saved Screener is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from atypia.cli import options
from atypia.cli.command import Taught
from atypia.cli.settings import show


@click.command(
    cls=Taught,
    short_help="Tell what a saved Screener is.",
    examples=("atypia info brain.atypia", "atypia info brain.atypia --json"),
)
@click.argument("model", type=options.PATH)
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def info(model: Path, as_json: bool) -> None:
    """Print the card of a saved Screener: what it learned from, how it prepares, scores and decides.

    MODEL is what 'atypia fit' saved. Nothing in it is executed.
    """
    from atypia.screener import Screener

    card = Screener.load(model).card()
    click.echo(json.dumps(card, indent=1) if as_json else _text(card))


def _text(card: dict[str, dict[str, Any]]) -> str:
    lines = []
    for part, values in card.items():
        lines += [part, *(f"  {name:24}{_shown(value)}" for name, value in values.items())]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(entry)}" for name, entry in value.items())
    return show(tuple(value) if isinstance(value, list) else value)
