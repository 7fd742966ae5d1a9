from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

from atypia.artefact.arrays import from_bytes, to_bytes

KINDS = ("?", "i1", "u1", "<i4", "<u8", "<f2", "<f4", "<f8")


@given(of_numpy.arrays(st.sampled_from(KINDS), of_numpy.array_shapes(min_dims=0, min_side=0)))
def test_what_was_written_is_read(array):
    found = from_bytes(to_bytes(array))
    assert (found.dtype, found.shape) == (array.dtype, np.ascontiguousarray(array).shape)
    assert found.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", "b"]),
        np.array([b"a"]),
        np.zeros(3, dtype=[("a", "f4"), ("b", "i4")]),
        np.zeros(3, dtype="V8"),
        np.zeros(2, dtype="complex64"),
        np.array(["2020-01-01"], dtype="M8[D]"),
        np.zeros(3, dtype=">f8"),
        np.asfortranarray(np.zeros((2, 3))),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    with pytest.raises(ValueError, match="begin as an array of numbers"):
        from_bytes(buffer.getvalue())


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: data[:128]]
)
def test_too_little_and_too_much_are_refused(change):
    with pytest.raises(ValueError, match="is not that of"):
        from_bytes(change(to_bytes(np.arange(9.0))))


@given(st.integers(0, 200), st.integers(0, 255))
def test_no_changed_byte_does_more_than_raise_a_value_error(place, value):
    data = bytearray(to_bytes(np.arange(12, dtype=np.float32).reshape(3, 4)))
    data[min(place, len(data) - 1)] = value
    try:
        found = from_bytes(bytes(data))
    except ValueError:
        return
    assert found.nbytes == 48
