"""`card`: the model card of a saved Screener, and what is recorded in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atypia.cli import options
from atypia.cli.command import Taught
from atypia.errors import BadOption

if TYPE_CHECKING:
    from atypia.screener import Screener


@click.command(
    cls=Taught,
    short_help="Tell what was measured of a Screener.",
    examples=(
        "atypia card brain.atypia",
        "atypia card brain.atypia --evaluation out/metrics.json --audit audit/audit.json",
        "atypia card brain.atypia -o model-card.md",
    ),
)
@click.argument("model", type=options.PATH)
@click.option(
    "--evaluation",
    "evaluations",
    multiple=True,
    type=options.PATH,
    metavar="METRICS.JSON",
    help="Record what 'atypia evaluate' found, in the file of the Screener; may be given again.",
)
@click.option(
    "--audit",
    type=options.PATH,
    metavar="AUDIT.JSON",
    help="Record what 'atypia audit' found in the scans it learned from.",
)
@click.option("-o", "--out", type=options.PATH, metavar="FILE", help="Write the card there, as Markdown.")
def card(model: Path, evaluations: tuple[Path, ...], audit: Path | None, out: Path | None) -> None:
    """Print the model card: what a Screener is, what it promises, what was measured, and where it is weak.

    MODEL is what 'atypia fit' saved. The card is filled from it, and from the evaluations and the audit that
    were recorded in it; no score changes by that. 'atypia evaluate --record' records its own.
    """
    from atypia.atomic import write_whole
    from atypia.report.model_card import model_card, record_audit, record_evaluation, to_markdown
    from atypia.screener import Screener

    screener = Screener.load(model)
    for file in evaluations:
        _record(screener, file, record_evaluation, "the metrics.json of 'atypia evaluate'")
    if audit is not None:
        _record(screener, audit, record_audit, "the audit.json of 'atypia audit'")
    if evaluations or audit:
        screener.save(model)
    text = to_markdown(model_card(screener), f"Model card of {model.name}") + "\n"
    if out is None:
        click.echo(text, nl=False)
        return
    write_whole(out, text)
    click.echo(f"saved {out}")


def _record(
    screener: Screener, file: Path, record: Callable[[Screener, Mapping[str, Any]], None], expected: str
) -> None:
    try:
        record(screener, json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise BadOption(f"{file}: expected {expected}, received: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadOption(f"{file}: expected {expected}, received something else ({error!r}).") from error
