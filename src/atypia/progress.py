"""A progress bar for work that takes longer than two seconds, and silence for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(
    items: Iterable[Item], *, total: int | None, label: str, unit: str = "scan", done: int = 0
) -> Iterator[Item]:
    """Yield the items; after two seconds, and only on a terminal, draw a bar with the time left.

    `done` of the `total` were done before.
    """
    bar = tqdm(items, total=total, desc=label, unit=unit, delay=2, disable=None, leave=False, initial=done)
    yield from bar
