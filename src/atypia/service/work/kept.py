"""What is kept of a judged picture: one file of arrays, from which what shows it is made when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.preparation import Geometry
from atypia.scan import Image, Mask

NAME = "picture.arrow"
"""Its name in the folder of a finding: an Arrow file, a row for each array."""
_SMALL = 2**18
"""Bytes up to which an array is kept as it is: to pack it takes longer than to write it."""
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Kept:
    """The arrays of a picture; None where there is no such.

    `pixels` (H, W) is the scan as it was read. The others are of its canvas: `heat` (S, S) is the map, `head`
    (S, S) the foreground, `regions` (S, S) the ranks of its regions, 0 none; `prepared` and `reconstruction`
    (S, S) what the detector saw and expected. `geometry` is the way from the canvas to the pixels.
    """

    pixels: Image
    heat: Image
    head: Mask
    geometry: Geometry
    regions: Bytes | None = None
    prepared: Bytes | None = None
    reconstruction: Bytes | None = None


_KINDS = ("|u1", "<u2", "<f4", "<f8")
_PLACE = "geometry"


def keep(kept: Kept, path: Path) -> None:
    """Write the arrays as a file; raise OSError."""
    path.write_bytes(_packed(dict(_arrays(kept))))


def kept_in(path: Path) -> Kept:
    """Read what `keep` wrote; raise OSError where it cannot be read, ValueError where it is damaged."""
    import pyarrow as pa

    known = {field.name for field in fields(Kept)}
    try:
        table = pa.ipc.open_file(pa.py_buffer(path.read_bytes())).read_all()
        rows = [row for row in table.to_pylist() if row["name"] in known]
        arrays: dict[str, Any] = {row["name"]: _array(row) for row in rows}
        place = arrays.pop(_PLACE).tolist()
        geometry = Geometry(
            (int(place[0][0]), int(place[0][1])),
            len(arrays["heat"]),
            ((place[1][0], place[1][1]), (place[2][0], place[2][1])),
            (place[3][0], place[3][1]),
        )
        arrays["pixels"] = arrays["pixels"].astype(np.float32)
        arrays["head"] = np.unpackbits(arrays["head"], axis=1, count=len(arrays["heat"])).astype(bool)
        return Kept(geometry=geometry, **arrays)
    except (pa.ArrowException, KeyError, IndexError, TypeError) as error:
        raise ValueError(f"the arrays of a finding are damaged ({type(error).__name__})") from error


def _array(row: dict[str, Any]) -> NDArray[np.generic]:
    if row["kind"] not in _KINDS:
        raise TypeError("expected numbers")
    values: NDArray[np.generic] = np.frombuffer(row["values"], row["kind"])
    return values.reshape(row["height"], row["width"])


def _arrays(kept: Kept) -> Iterator[tuple[str, NDArray[np.generic]]]:
    place = kept.geometry
    yield _PLACE, np.array([place.shape, *place.matrix, place.offset], "<f8")
    yield "pixels", _compact(kept.pixels)
    yield "head", np.packbits(kept.head, axis=1)
    for field in fields(Kept):
        values = getattr(kept, field.name)
        if values is not None and field.name not in ("pixels", "head", _PLACE):
            yield field.name, np.ascontiguousarray(values)


def _compact(pixels: Image) -> NDArray[np.generic]:
    """Return pixels as whole numbers of one or two bytes where that is what they are."""
    with np.errstate(invalid="ignore"):
        for kind in (np.dtype("u1"), np.dtype("<u2")):
            whole = pixels.astype(kind)
            if np.array_equal(whole, pixels):
                return whole
    return np.ascontiguousarray(pixels, "<f4")


def _packed(arrays: dict[str, NDArray[np.generic]]) -> memoryview:
    import pyarrow as pa

    table = pa.record_batch(
        {
            "name": list(arrays),
            "kind": [one.dtype.str for one in arrays.values()],
            "height": [one.shape[0] for one in arrays.values()],
            "width": [one.shape[1] for one in arrays.values()],
            "values": pa.array([one.tobytes() for one in arrays.values()], pa.large_binary()),
        }
    )
    large = any(one.nbytes > _SMALL for one in arrays.values())
    codec = pa.Codec("zstd", compression_level=1) if large else None
    options = pa.ipc.IpcWriteOptions(compression=codec, use_threads=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_batch(table)
    return memoryview(sink.getvalue())
