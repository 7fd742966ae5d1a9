"""Plain arrays as bytes, in NumPy's own format and without pickles."""

from __future__ import annotations

import io
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

# As NumPy writes version 1.0: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
_START = re.compile(
    rb"\x93NUMPY\x01\x00(?P<length>[\s\S]{2})(?P<header>\{'descr': '(?P<kind>\|[biu]1|<[iuf][248])', "
    rb"'fortran_order': False, 'shape': \((?P<shape>(?:\d{1,18}, ?)*(?:\d{1,18})?)\), \} *\n)"
)


def to_bytes(array: NDArray[Any]) -> bytes:
    """Return an array as the content of a file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def from_bytes(data: bytes) -> NDArray[Any]:
    """Return the array of such a content; raise ValueError unless it is one of numbers, and all of it.

    Its head is read here, and not by NumPy, which makes room for what a head claims and reads it as Python.
    """
    start = _START.match(data)
    if start is None or len(start["header"]) != int.from_bytes(start["length"], "little"):
        raise ValueError("it does not begin as an array of numbers does")
    kind = np.dtype(start["kind"].decode())
    shape = tuple(int(length) for length in start["shape"].split(b",") if length.strip())
    if math.prod(shape) * kind.itemsize != len(data) - start.end():
        raise ValueError(f"the shape {shape} is not that of {len(data) - start.end()} bytes")
    return np.frombuffer(data, kind, offset=start.end()).reshape(shape).copy()
