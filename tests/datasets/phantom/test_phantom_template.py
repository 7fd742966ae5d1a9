import numpy as np
import pytest

from atypia.datasets.phantom import template as module
from atypia.datasets.phantom.template import load_template, template_paths
from atypia.errors import MissingExtra


def sample(*places):
    x, y, z = np.array(places, np.float32).T
    return load_template().sample(x, y, z)


def test_tissues_lie_where_the_atlas_says():
    t1, depth = sample((26, -30, 28), (-26, -30, 28), (5, 12, 14), (0, 0, 0))
    assert t1[:2] == pytest.approx(0.9, abs=0.08)  # white matter of both hemispheres
    assert t1[2] < 0.4  # frontal horn of the lateral ventricle
    assert (depth > 15).all()


def test_far_outside_the_head_there_is_air_at_the_greatest_distance():
    t1, depth = sample((98, 0, 0), (-500, 0, 20), (0, 300, 0))
    assert (t1 == 0).all()
    assert (depth <= -23).all()


def test_depth_grows_by_a_millimetre_a_millimetre_through_the_skull():
    _, depth = sample(*[(x, -20, 20) for x in range(70, 90)])
    assert np.diff(depth) == pytest.approx(-1, abs=0.3)
    assert depth[0] < 6


def test_between_two_voxels_lies_their_mean():
    t1, depth = sample((26, -30, 28), (27, -30, 28), (26.5, -30, 28))
    assert t1[2] == pytest.approx(t1[:2].mean(), abs=1e-5)
    assert depth[2] == pytest.approx(depth[:2].mean(), abs=1e-5)


def test_the_template_is_built_once():
    assert load_template() is load_template()


def test_without_nilearn_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"phantom.*atypia\[demo\]"):
        template_paths()
    with pytest.raises(MissingExtra):
        load_template.__wrapped__()


def test_with_a_nilearn_that_lacks_the_volumes_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(module, "_FILE", "nowhere/{}.nii.gz")
    with pytest.raises(MissingExtra):
        template_paths()
