"""Near-copies as the groups of scans that name none, told on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from atypia.reading.collection import Collection


def clustered(collection: Collection) -> Collection:
    """Give scans without a group that of their near-copies, and say so."""
    from atypia.copies import cluster_ungrouped

    grouped, found = cluster_ungrouped(collection)
    if found:
        click.echo(
            f"{found}, and copies stay together; slices of one patient may still stand on both sides.",
            err=True,
        )
    return grouped
