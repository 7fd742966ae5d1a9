"""`info`: what a saved Screener is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from atypia.cli import options
from atypia.cli import pretrained as shipped
from atypia.cli.command import Taught
from atypia.cli.settings import show
from atypia.errors import BadOption


@click.command(
    cls=Taught,
    short_help="Tell what a saved Screener is.",
    examples=(
        "atypia info brain.atypia",
        "atypia info brain.atypia --json",
        "atypia info --pretrained synthetic",
    ),
)
@click.argument("model", required=False, type=options.PATH)
@shipped.option
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def info(model: Path | None, pretrained: str | None, as_json: bool) -> None:
    """Print the card of a saved Screener: what it learned from, how it prepares, scores and decides.

    MODEL is what 'atypia fit' saved. Nothing in it is executed. Of a Screener that comes with Atypia it also
    tells how it was made, what was measured and what it misses.
    """
    from atypia.pretrained import pretrained_card
    from atypia.screener import Screener

    file, words = shipped.model_and_rest(pretrained, model)
    if words:
        raise BadOption("Expected either a MODEL or --pretrained NAME; received both.")
    card = Screener.load(file).card()
    if pretrained is not None and not as_json:
        click.echo(pretrained_card(pretrained))
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
