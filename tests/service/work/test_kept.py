from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from atypia.service.work.kept import NAME, Kept, keep, kept_in
from atypia.service.work.settling import settle

SIDES = st.tuples(st.integers(1, 9), st.integers(1, 9))
GREY = SIDES.flatmap(lambda sides: arrays(np.uint8, sides))


@settings(deadline=None, max_examples=25)
@given(GREY, SIDES.flatmap(lambda sides: arrays(np.float32, sides)), st.none() | GREY)
def test_what_is_kept_comes_back_bit_by_bit(tmp_path_factory, grey, heat, prepared):
    path = tmp_path_factory.mktemp("kept") / NAME
    keep(Kept(grey, heat, prepared=prepared), path)
    settle([path.parent])
    back = kept_in(path)
    assert back.heat.tobytes() == heat.tobytes()
    np.testing.assert_array_equal(back.grey, grey)
    assert back.p_map is None
    if prepared is None:
        assert back.prepared is None
    else:
        np.testing.assert_array_equal(back.prepared, prepared)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_damaged_file_is_told(tmp_path, share):
    path = tmp_path / NAME
    keep(Kept(np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.float32)), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="damaged"):
        kept_in(path)


def test_what_is_not_there_cannot_settle(tmp_path):
    settle([])
    with pytest.raises(FileNotFoundError):
        settle([tmp_path / "gone"])
