"""What is kept of a judged picture: one file of arrays, from which what shows it is made when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.scan import Image

NAME = "picture.arrow"
"""Its name in the folder of a finding: an Arrow file, a row for each array, packed with Zstandard."""
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Kept:
    """The arrays of a picture (H, W); None where there is no such.

    `grey` is the scan as it is shown, `heat` its map, `p_map` how unusual each pixel is, `regions` the ranks
    of its regions, 0 none. `prepared` and `reconstruction` (S, S) are what the detector saw and expected.
    """

    grey: Bytes
    heat: Image
    p_map: Image | None = None
    regions: Bytes | None = None
    prepared: Bytes | None = None
    reconstruction: Bytes | None = None


_FLOATS = ("heat", "p_map")


def keep(kept: Kept, path: Path) -> None:
    """Write the arrays as a file; raise OSError."""
    path.write_bytes(_packed(dict(_arrays(kept))))


def kept_in(path: Path) -> Kept:
    """Read what `keep` wrote; raise OSError where it cannot be read, ValueError where it is damaged."""
    import pyarrow as pa

    try:
        table = pa.ipc.open_file(pa.py_buffer(path.read_bytes())).read_all()
        rows = {row["name"]: row for row in table.to_pylist()}
        arrays = {
            name: np.frombuffer(row["values"], _stored(name)).reshape(row["height"], row["width"])
            for name, row in rows.items()
            if name in {field.name for field in fields(Kept)}
        }
        return Kept(**arrays)
    except (pa.ArrowException, KeyError, TypeError) as error:
        raise ValueError(f"the arrays of a finding are damaged ({type(error).__name__})") from error


def _arrays(kept: Kept) -> Iterator[tuple[str, NDArray[np.generic]]]:
    for field in fields(Kept):
        values = getattr(kept, field.name)
        if values is not None:
            yield field.name, np.ascontiguousarray(values, _stored(field.name))


def _stored(name: str) -> str:
    return "<f4" if name in _FLOATS else "u1"


def _packed(arrays: dict[str, NDArray[np.generic]]) -> memoryview:
    import pyarrow as pa

    table = pa.record_batch(
        {
            "name": list(arrays),
            "height": [one.shape[0] for one in arrays.values()],
            "width": [one.shape[1] for one in arrays.values()],
            "values": pa.array([one.tobytes() for one in arrays.values()], pa.large_binary()),
        }
    )
    codec = pa.Codec("zstd", compression_level=1)
    options = pa.ipc.IpcWriteOptions(compression=codec, use_threads=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_batch(table)
    return memoryview(sink.getvalue())
