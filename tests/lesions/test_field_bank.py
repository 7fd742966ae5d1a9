from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.lesions.field_bank import EACH, FEWEST, GRIDS, FieldBank, field_bank


@given(size=st.integers(16, 80), grid=st.sampled_from(GRIDS), count=st.integers(0, 5))
@settings(deadline=None, max_examples=8)
def test_fields_have_the_size_asked_for_and_follow_from_the_generator(size, grid, count):
    bank = field_bank(size, 1)
    first, again = (bank.draw(np.random.default_rng(3), count, grid) for _ in range(2))
    assert (first.shape, first.dtype) == ((count, size, size), np.float32)
    assert np.array_equal(first, again)
    assert np.isfinite(first).all()


def test_fields_are_about_of_unit_variance_and_coarse_ones_are_smooth(rng):
    bank = field_bank(48, 1)
    rough = []
    for grid in GRIDS:
        fields = bank.draw(rng, 40, grid)
        assert abs(fields.mean()) < 0.3
        assert 0.4 < fields.std() < 1.2
        rough.append(np.abs(np.diff(fields)).mean())
    assert rough == sorted(rough)


def test_a_field_is_turned_mirrored_and_negated_at_each_use(rng):
    drawn = field_bank(16, 1).draw(rng, 200, 3)
    kinds = {field.tobytes() for field in drawn}
    assert len(kinds) > 100 > EACH


def test_another_seed_gives_other_fields():
    first, other = (FieldBank(16, seed).draw(np.random.default_rng(0), 3, 5) for seed in (1, 2))
    assert not np.allclose(first, other)


def test_large_canvases_have_fewer_fields_that_the_memory_may_hold_them(monkeypatch):
    monkeypatch.setattr("atypia.lesions.field_bank.FULL", 16)
    monkeypatch.setattr("atypia.lesions.field_bank.GRIDS", (3,))
    kept = [len(FieldBank(size, 1)._fields[3]) for size in (16, 32, 512)]
    assert kept == [EACH, EACH // 4, FEWEST]


def test_an_unknown_number_of_waves_is_refused(rng):
    with pytest.raises(KeyError):
        field_bank(16, 1).draw(rng, 1, 7)
