"""A scan's file out of an object store, in memory, fetched before it is asked for."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TypeVar

from atypia.errors import UnreadableScan
from atypia.reading.row import Row
from atypia.remote import fetch, is_remote

FLYING = 32
"""Requests in flight at once. A store takes long to answer, and answers many at a time."""

MOST_BEGUN = 8 * FLYING
"""More than what a reader can have taken and not yet read, with what is in flight."""

Item = TypeVar("Item")

_begun: dict[Path, Future[bytes]] = {}


def fetched_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items in order; objects that rows among them name are fetched meanwhile, FLYING ahead.

    `fetched` then has them at once. Of what is no object nothing is read ahead. A reader that leaves early
    leaves no object behind.
    """
    waiting: deque[Item] = deque()
    begun: deque[Path] = deque(maxlen=MOST_BEGUN)
    try:
        for item in items:
            path = _object(item)
            if path is None and not waiting:
                yield item
                continue
            if path is not None and path not in _begun:
                _begun[path] = _fetchers().submit(fetch, path)
                begun.append(path)
            waiting.append(item)
            if len(waiting) > FLYING:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    except GeneratorExit:
        for path in begun:  # also those of rows that were taken, but will not be read
            future = _begun.pop(path, None)
            if future is not None:
                future.cancel()
        raise


def fetched(path: Path, expected: str) -> bytes:
    """Return the content of an object that is one scan.

    Raises UnreadableScan, saying what was expected, where it cannot be had, StoreFailed where nothing can.
    """
    begun = _begun.pop(path, None)
    try:
        return fetch(path) if begun is None else begun.result()
    except OSError as error:
        raise UnreadableScan(
            path, expected, in_words(error), "Check the address, and who may read it."
        ) from error


def in_words(error: OSError) -> str:
    """Return what was received in place of an object."""
    if isinstance(error, FileNotFoundError):
        return "no such object"
    return (os.strerror(error.errno) if error.errno else str(error).rstrip(".")).lower()


def _object(item: object) -> Path | None:
    return item.path if isinstance(item, Row) and is_remote(item.path) else None


@cache
def _fetchers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(FLYING, thread_name_prefix="fetching")
