from __future__ import annotations

import numpy as np
import pytest

from atypia.detectors import Restoration
from atypia.errors import BadOption


@pytest.fixture(scope="module")
def restoration(fitted):
    return fitted("restoration")


def test_the_restored_picture_has_the_scan_s_own_units_and_its_background(restoration, heads_of):
    batch = heads_of(4, seed=9, lesion=0.5).batch(np.arange(4))
    restored = restoration.score(batch).reconstruction
    assert restored.shape == batch.pixels.shape
    assert np.array_equal(restored[~batch.foreground], batch.pixels[~batch.foreground])
    assert np.abs(restored - batch.pixels)[batch.foreground].mean() < 0.1


def test_the_strengths_are_saved(restoration):
    state = restoration.state()
    assert state.parameters["settings"]["strengths"] == [0.5, 1.0]
    assert Restoration.from_state(state).strengths == (0.5, 1.0)


@pytest.mark.parametrize("strengths", [(), (0.0,), (0.5, 1.1)])
def test_strengths_that_make_no_sense_are_refused(strengths):
    with pytest.raises(BadOption, match=r"strengths in \(0, 1\]"):
        Restoration(strengths=strengths)
