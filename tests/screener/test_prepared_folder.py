from __future__ import annotations

import numpy as np
import pytest

from atypia.preparation import Preparation
from atypia.scan import Scan
from atypia.screener.prepared_folder import prepare_to_folder

PREPARATION = Preparation(size=33)


@pytest.fixture
def given(scans):
    blank = Scan(np.zeros((40, 40), np.float32), "blank")
    return [*scans[:4], blank, *scans[4:7]]


@pytest.mark.parametrize(("kind", "tolerance"), [(np.float16, 1e-3), (np.float32, 0)])
def test_scans_come_back_in_any_order_and_the_bad_are_left_out(given, tmp_path, kind, tolerance):
    stored, failed = prepare_to_folder(given, PREPARATION, tmp_path / "new", label="reading", kind=kind)
    assert [item.name for item in failed] == ["blank"]
    assert len(stored) == 7
    good = [PREPARATION(scan) for scan in given if scan.name != "blank"]
    order = np.array([6, 0, 0, 4])
    batch = stored.batch(order)
    assert (batch.pixels.dtype, batch.foreground.dtype) == (np.float32, np.bool_)
    for place, n in enumerate(order):
        assert np.allclose(batch.pixels[place], good[n].pixels, rtol=0, atol=tolerance)
        assert np.array_equal(batch.foreground[place], good[n].foreground)
        assert np.array_equal(batch.interior[place], good[n].interior)


def test_nothing_that_can_be_read_is_an_empty_set(tmp_path):
    stored, failed = prepare_to_folder([], PREPARATION, tmp_path, label="reading")
    assert (len(stored), failed) == (0, [])
