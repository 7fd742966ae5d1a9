from __future__ import annotations

import numpy as np
import pytest

from atypia.detectors import Batch, FitContext, PatchCore, State
from atypia.errors import BadOption, CorruptArtefact

ENCODER = "efficientnet-lite0"


@pytest.fixture
def patchcore(fitted):
    return fitted("patchcore")


@pytest.fixture(scope="module")
def everything(healthy):
    return healthy.batch(np.arange(len(healthy)))


@pytest.fixture(scope="module")
def twins(heads_of):
    return [heads_of(6, seed=9, lesion=lesion).batch(np.arange(6)) for lesion in (0.0, 0.5)]


def test_what_the_whole_bank_holds_is_near_and_the_map_is_a_cosine_distance(healthy, everything, tmp_path):
    detector = PatchCore(ENCODER, components=16, reach=0).fit(healthy, FitContext(tmp_path))
    assert len(detector.state().arrays["members"]) == 32 * 8 * 8
    assert np.allclose(detector.score(everything).image, 0, atol=5e-3)
    noise = np.random.default_rng(0).random((2, 64, 64), dtype=np.float32)
    scores = detector.score(Batch(noise, np.ones(noise.shape, bool)))
    assert ((scores.map >= -1e-3) & (scores.map <= 2)).all()
    assert scores.image.min() > 0.1


@pytest.mark.parametrize("bank", [4, 100, 999])
def test_the_bank_is_bounded_and_drawn_by_the_seed(healthy, tmp_path, bank):
    seen = [
        PatchCore(ENCODER, components=8, bank=bank).fit(healthy, FitContext(tmp_path, seed)).state().arrays
        for seed in (1, 1, 2)
    ]
    assert 0 < len(seen[0]["members"]) <= bank
    assert np.array_equal(seen[0]["members"], seen[1]["members"])
    assert not np.array_equal(seen[0]["members"], seen[2]["members"])


@pytest.mark.parametrize(
    "settings",
    [
        {"score": "reweighted"},
        {"reach": None},
        {"retrieved": 4},
        {"scales": 1},
        {"scales": 3},
        {"bank": 600, "retrieved": 8, "score": "reweighted"},
    ],
)
def test_every_option_finds_lesions_and_is_saved(healthy, twins, tmp_path, settings):
    detector = PatchCore(ENCODER, components=16, threads=1, **settings).fit(healthy, FitContext(tmp_path))
    well, ill = (detector.score(batch) for batch in twins)
    assert ill.image.mean() > well.image.mean()
    again = PatchCore.from_state(detector.state())
    assert np.array_equal(again.score(twins[1]).image, ill.image)
    assert np.array_equal(again.score(twins[1]).map, ill.map)


def test_the_reweighted_score_is_equation_7(healthy, twins, tmp_path):
    detector = PatchCore(ENCODER, components=16, reach=None, score="reweighted", neighbours=3)
    detector.fit(healthy, FitContext(tmp_path))
    batch = Batch(twins[1].pixels[:1], twins[1].foreground[:1])
    cells = detector.cells_(detector.encoder_(batch.pixels))[0].reshape(-1, 32)
    members = detector.bank_.members.astype(np.float32)
    head = batch.foreground[0].reshape(8, 8, 8, 8).mean((1, 3)).ravel() > 0.5
    apart = np.linalg.norm(cells[head][:, None] - members, axis=-1)
    patch, nearest = apart.min(axis=1).argmax(), apart[apart.min(axis=1).argmax()].argmin()
    fellows = np.argsort(np.linalg.norm(members - members[nearest], axis=1))[:3]
    weight = 1 - np.exp(apart[patch, nearest]) / np.exp(apart[patch, fellows]).sum()
    assert detector.score(batch).image[0] == pytest.approx(weight * apart[patch, nearest], rel=1e-2)


def test_a_scan_without_a_head_is_judged_on_all_of_it(patchcore, everything):
    pixels = everything.pixels[:2]
    bare = patchcore.score(Batch(pixels, np.zeros(pixels.shape, bool)))
    whole = patchcore.score(Batch(pixels, np.ones(pixels.shape, bool)))
    assert np.allclose(bare.image, whole.image)
    assert (bare.map == 0).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"scales": 0}, "scales of at least 1; received 0"),
        ({"components": 0}, "components of at least 1"),
        ({"bank": 0}, "bank of at least 1"),
        ({"reach": -1}, "reach of at least 0; received -1"),
        ({"retrieved": -1}, "retrieved of at least 0"),
        ({"neighbours": 1}, "neighbours of at least 2"),
        ({"top": 2}, r"top in \(0, 1\]; received 2"),
        ({"score": "best"}, "score top or reweighted; received best"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(BadOption, match=words):
        PatchCore(ENCODER, **settings)


def test_more_scales_than_there_are_is_refused(healthy, tmp_path):
    with pytest.raises(BadOption, match="between 1 and 3 scales, received 4"):
        PatchCore(ENCODER, scales=4).fit(healthy, FitContext(tmp_path))


@pytest.mark.parametrize("settings", [{"colour": "red"}, {"bank": 0}, {"reach": "far"}])
def test_saved_settings_that_make_no_sense_are_corrupt(patchcore, settings):
    state = patchcore.state()
    parameters = state.parameters | {"settings": state.parameters["settings"] | settings}
    with pytest.raises(CorruptArtefact, match="'patchcore' cannot be used"):
        PatchCore.from_state(State(parameters, state.arrays, state.graphs))
