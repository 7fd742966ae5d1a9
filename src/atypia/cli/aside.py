"""Telling what a folder of DICOM files holds beside scans."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from atypia.reading.collection import Collection

_NAMED = 3


def tell_aside(collection: Collection) -> None:
    """Say on stderr what was not listed and why, a line for each reason; nothing where all was listed."""
    names: dict[str, list[str]] = defaultdict(list)
    for name, reason in collection.aside:
        names[reason].append(name)
    for reason, found in names.items():
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        click.echo(f"set aside: {', '.join(found[:_NAMED])}{more}: {reason}", err=True)
