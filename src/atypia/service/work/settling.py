"""Seeing to it that what was written is on the disk, so that a loss of power takes nothing that was told."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

AT_ONCE = 8


def settle(folders: Iterable[Path]) -> None:
    """Wait until folders, all in them, and their names are on the disk; raise OSError where that fails.

    Several at once, because a disk takes those that wait together.
    """
    folders = list(folders)
    if not folders:
        return
    paths = [path for folder in folders for path in _all_in(folder)]
    with ThreadPoolExecutor(min(AT_ONCE, len(paths)), "settling") as pool:
        for _ in pool.map(_settle, [*paths, *{folder.parent for folder in folders}]):
            continue


def _all_in(folder: Path) -> Iterator[Path]:
    yield from folder.rglob("*")
    yield folder


def _settle(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
