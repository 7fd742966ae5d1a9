from __future__ import annotations

import numpy as np
import pytest

from atypia.detectors import Asymmetry, Atlas, Batch, FitContext, State
from atypia.errors import BadOption, CorruptArtefact

BOTH = pytest.mark.parametrize("kind", [Asymmetry, Atlas])


@pytest.fixture(scope="module")
def twins(heads_of):
    return [heads_of(6, seed=9, lesion=lesion).batch(np.arange(6)) for lesion in (0.0, 0.5)]


@BOTH
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"retrieved": 1}, "retrieved of at least 2; received 1"),
        ({"top": 0}, r"top in \(0, 1\]; received 0"),
        ({"top": 1.5}, "top in"),
        ({"top": float("nan")}, "top of at least 0; received nan"),
    ],
)
def test_settings_that_make_no_sense_are_refused(kind, settings, told):
    with pytest.raises(BadOption, match=told):
        kind(**settings)


def test_a_dark_lesion_counts_by_its_weight(healthy, heads_of, tmp_path):
    dark = heads_of(6, seed=9, lesion=-0.3).batch(np.arange(6))
    plain, weighed = (
        Atlas(retrieved=8, dark=weight).fit(healthy, FitContext(tmp_path)).score(dark).image
        for weight in (0.0, 1.0)
    )
    assert weighed.mean() > 2 * plain.mean()
    with pytest.raises(BadOption, match="dark of at least 0"):
        Atlas(dark=-1)


def test_asymmetry_does_not_see_what_is_on_both_sides(fitted, twins):
    well, ill = twins
    both = np.maximum(ill.pixels, ill.pixels[:, :, ::-1])
    heads = ill.foreground | ill.foreground[:, :, ::-1]
    one_sided = fitted("asymmetry").score(ill).image
    assert fitted("asymmetry").score(Batch(both, heads)).image.mean() < 0.5 * one_sided.mean()
    assert fitted("atlas").score(well).image.mean() < fitted("atlas").score(ill).image.mean()


@BOTH
def test_scans_without_a_brain_score_nothing(fitted, twins, kind):
    pixels, heads = twins[1].pixels, twins[1].foreground
    scores = fitted(kind.name).score(Batch(pixels, heads, np.zeros_like(heads)))
    assert (scores.image == 0).all()
    assert (scores.map == 0).all()


@BOTH
@pytest.mark.parametrize("settings", [{"colour": 1}, {"top": 2}, {"retrieved": "many"}, "none"])
def test_saved_settings_that_make_no_sense_are_corrupt(fitted, kind, settings):
    state = fitted(kind.name).state()
    given = state.parameters["settings"] | settings if isinstance(settings, dict) else settings
    with pytest.raises(CorruptArtefact, match=f"'{kind.name}' cannot be used"):
        kind.from_state(State({"settings": given}, state.arrays))
