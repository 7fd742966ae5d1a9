"""Maps that wait on disk until what they are to be looked at with has been learned."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self, final

import numpy as np

from atypia.atomic import not_written
from atypia.scan import Image


@final
class KeptMaps:
    """Lists of maps float32 (N, S, S), in the order that they were added; memory does not grow with them.

    A context: what was kept is gone when it ends.
    """

    def __init__(self) -> None:
        self._counts: list[int] = []

    def __enter__(self) -> Self:
        self._file: IO[bytes] = tempfile.TemporaryFile()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # of a disk that was full, which was told of
            self._file.close()

    def add(self, maps: Sequence[Image]) -> None:
        """Keep the maps of a batch; raise OutputError where there is no room."""
        self._counts.append(len(maps))
        try:
            for each in maps:
                np.save(self._file, np.asarray(each, np.float32), allow_pickle=False)
        except OSError as error:
            raise not_written(Path(tempfile.gettempdir()), error) from error

    def __iter__(self) -> Iterator[list[Image]]:
        """Yield what was added, batch by batch."""
        self._file.seek(0)
        for count in self._counts:
            yield [np.load(self._file, allow_pickle=False) for _ in range(count)]
