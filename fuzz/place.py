"""Where a target puts the bytes that it is given: files of a folder in memory, gone afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_MEMORY = Path("/dev/shm")
_WHERE = str(_MEMORY) if _MEMORY.is_dir() else None


@contextmanager
def folder(files: Mapping[str, bytes]) -> Iterator[Path]:
    """Write files by their names into a new folder, and remove it at the end."""
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_WHERE) as name:
        for file, data in files.items():
            (Path(name) / file).write_bytes(data)
        yield Path(name)


@contextmanager
def written(data: bytes, name: str) -> Iterator[Path]:
    """Write one file of this name, and remove it at the end."""
    with folder({name: data}) as place:
        yield place / name
