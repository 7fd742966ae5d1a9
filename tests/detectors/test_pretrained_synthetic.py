from __future__ import annotations

import numpy as np
import pytest

from atypia.artefact import read_artefact
from atypia.datasets.phantom import phantom_image
from atypia.detectors import Batch, FitContext, PretrainedSynthetic
from atypia.errors import BadOption
from atypia.preparation import Preparation
from atypia.pretrained import NAMES, pretrained_card, pretrained_path
from atypia.scan import Scan
from atypia.screener import Screener


@pytest.fixture(scope="module")
def shipped():
    return Screener.load(pretrained_path("synthetic"))


def prepared(seed, size=224, **choices):
    """A phantom on its canvas, and where its tumour is there."""
    drawn = phantom_image(seed, **choices)
    found = Preparation(size=size)(Scan(drawn.pixels.astype(np.float32), "phantom"))
    mask = found.geometry.to_prepared(drawn.mask.astype(np.float32)) > 0.5
    return Batch(found.pixels[None], found.foreground[None], found.interior[None]), mask


@pytest.mark.parametrize("sequence", ["FLAIR", "T2"])
def test_a_tumour_stands_out_in_unlike_contrasts(shipped, sequence):
    inside, outside = [], []
    for seed in range(40, 46):
        batch, tumour = prepared(seed, abnormal=True, kind="glioblastoma", sequence=sequence, head=True)
        heat, brain = shipped.detector.score(batch).map[0], batch.brain[0]
        inside.append(heat[tumour].mean())
        outside.append(heat[brain & ~tumour].mean())
    assert np.mean(inside) > np.mean(outside) + 2


def test_the_map_is_the_same_on_canvases_of_any_size(shipped):
    wide, _ = prepared(41, abnormal=True)
    narrow, _ = prepared(41, size=112, abnormal=True)
    large, small = shipped.detector.score(wide).map[0], shipped.detector.score(narrow).map[0]
    both = narrow.foreground[0] & wide.foreground[0][::2, ::2]
    assert np.corrcoef(large[::2, ::2][both], small[both])[0, 1] > 0.95


def test_it_is_fitted_without_learning_and_scores_as_what_is_shipped(shipped, healthy, tmp_path):
    fitted = PretrainedSynthetic(threads=1).fit(healthy, FitContext(tmp_path))
    batch = healthy.batch(np.arange(4))
    assert np.allclose(fitted.score(batch).image, shipped.detector.score(batch).image)


def test_another_network_can_be_given(healthy, tmp_path):
    graph = read_artefact(pretrained_path("synthetic")).graphs["network"]
    assert PretrainedSynthetic(graph=graph).fit(healthy, FitContext(tmp_path)).state().graphs == {
        "network": graph
    }


def test_each_that_is_shipped_is_small_and_has_its_card():
    for name in NAMES:
        assert pretrained_path(name).stat().st_size < 3_000_000
        assert "misses" in pretrained_card(name)


def test_an_unknown_name_is_refused():
    with pytest.raises(BadOption, match="out of synthetic; received 'other'"):
        pretrained_path("other")
