from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from atypia.preparation import Geometry
from atypia.service.work.kept import NAME, Kept, keep, kept_in
from atypia.service.work.settling import settle

SIDES = st.tuples(st.integers(1, 9), st.integers(1, 9))
FINITE = st.floats(-1e6, 1e6, width=32)
PIXELS = SIDES.flatmap(
    lambda sides: st.one_of(
        arrays(np.float32, sides, elements=st.integers(0, 255)),
        arrays(np.float32, sides, elements=st.integers(0, 65535)),
        arrays(np.float32, sides, elements=FINITE),
    )
)
GREY = arrays(np.uint8, (5, 5))
PLACE = Geometry((7, 9), 5, ((1.25, -0.5), (0.5, 1.75)), (-2.5, 0.1))


@settings(deadline=None, max_examples=25)
@given(PIXELS, arrays(np.float32, (5, 5)), arrays(np.bool_, (5, 5)), st.none() | GREY)
def test_what_is_kept_comes_back_bit_by_bit(tmp_path_factory, pixels, heat, head, prepared):
    path = tmp_path_factory.mktemp("kept") / NAME
    keep(Kept(pixels, heat, head, PLACE, prepared=prepared), path)
    settle([path.parent])
    back = kept_in(path)
    assert back.heat.tobytes() == heat.tobytes()
    assert back.geometry == PLACE
    assert back.pixels.dtype == np.float32
    np.testing.assert_array_equal(back.pixels, pixels)
    np.testing.assert_array_equal(back.head, head)
    assert back.regions is None
    if prepared is None:
        assert back.prepared is None
    else:
        np.testing.assert_array_equal(back.prepared, prepared)


@pytest.mark.parametrize("side", [8, 520])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_damaged_file_is_told(tmp_path, share, side):
    path = tmp_path / NAME
    grey = np.arange(side * side, dtype=np.float32).reshape(side, side) % 251
    keep(Kept(grey, np.zeros((5, 5), np.float32), np.ones((5, 5), bool), PLACE), path)
    np.testing.assert_array_equal(kept_in(path).pixels, grey)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="damaged"):
        kept_in(path)


def test_what_is_not_there_cannot_settle(tmp_path):
    settle([])
    with pytest.raises(FileNotFoundError):
        settle([tmp_path / "gone"])
