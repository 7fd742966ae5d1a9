import numpy as np
import pytest
from scipy import ndimage

from atypia.datasets.phantom.lesion import (
    CORE,
    OEDEMA,
    RIM,
    TUMOUR_KINDS,
    Tissues,
    displacement,
    grow_lesions,
    paint_lesions,
)
from atypia.datasets.phantom.lesion.kinds import GROWTH, PALETTES

SHAPE = (160, 128)
ROWS, COLUMNS = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]].astype(np.float32)


@pytest.fixture(scope="module")
def tissues():
    """A disc of a brain with a cleft of fluid along its midline: no template, as for a real slice."""
    depth = 58 - np.hypot(ROWS - 80, COLUMNS - 64)
    brain = np.clip(depth + 0.5, 0, 1).astype(np.float32)
    fluid = brain * (np.abs(COLUMNS - 64) < 2)
    white = brain * (depth > 8) * (fluid == 0)
    return Tissues(brain, white.astype(np.float32), fluid.astype(np.float32), depth, COLUMNS - 64)


@pytest.fixture(scope="module")
def image(tissues):
    return (tissues.brain * np.where(tissues.fluid > 0, 20, 100)).astype(np.float32)


def paint(seed, kind, sequence, tissues, image):
    rng = np.random.default_rng(seed)
    lesions = grow_lesions(rng, tissues, kind)
    return lesions, paint_lesions(rng, image, tissues, lesions, sequence)


@pytest.mark.parametrize("sequence", PALETTES)
@pytest.mark.parametrize("kind", TUMOUR_KINDS)
def test_a_lesion_lies_in_the_brain_and_stands_out_where_its_labels_say(kind, sequence, tissues, image):
    for seed in range(4):
        _, painted = paint(seed, kind, sequence, tissues, image)
        changed = np.abs(painted.image - image)
        lesion = painted.labels > 0
        assert lesion.any()
        assert set(np.unique(painted.labels)) <= {0, CORE, OEDEMA, RIM}
        assert tissues.brain[lesion].min() > 0.3
        assert changed[lesion].mean() > 6
        far = ~ndimage.binary_dilation(lesion, iterations=12)
        assert changed[far].mean() < 1


@pytest.mark.parametrize("kind", TUMOUR_KINDS)
def test_the_unit_of_the_image_does_not_matter(kind, tissues, image):
    _, plain = paint(7, kind, "T1c", tissues, image)
    _, scaled = paint(7, kind, "T1c", tissues, image * np.float32(0.01))
    assert scaled.image == pytest.approx(plain.image / 100, rel=1e-3, abs=1e-4)
    assert np.array_equal(scaled.labels, plain.labels)


@pytest.mark.parametrize("kind", TUMOUR_KINDS)
def test_the_brain_is_pushed_outwards_and_the_skull_stays(kind, tissues):
    lesions = grow_lesions(np.random.default_rng(2), tissues, kind)[:1]
    rows, columns = displacement(lesions, tissues)
    row, column = lesions[0].centre
    inwards = rows * (ROWS - row) + columns * (COLUMNS - column)
    assert inwards.max() <= 1e-3
    assert 0.3 < np.hypot(rows, columns).max() <= 1.4 * lesions[0].push
    if kind != "meningioma":  # which dents the skull
        assert np.hypot(rows, columns)[tissues.depth <= 0].max() == 0


def test_growth_keeps_to_its_ranges_in_millimetres(tissues):
    for seed in range(10):
        (lesion,) = grow_lesions(np.random.default_rng(seed), tissues, "meningioma", pixels_per_mm=0.8)
        low, high = GROWTH["meningioma"].radius
        assert 0.8 * low <= lesion.radius <= 0.8 * high
        assert tissues.depth[lesion.centre] < 0.8 * lesion.radius


def test_only_metastases_are_many(tissues):
    def counts(kind):
        return {len(grow_lesions(np.random.default_rng(seed), tissues, kind)) for seed in range(12)}

    assert counts("metastasis") == {1, 2, 3}
    assert counts("low-grade-glioma") == {1}


def test_a_glioblastoma_has_a_bright_rim_and_a_dark_centre_with_contrast_medium(tissues, image):
    _, painted = paint(3, "glioblastoma", "T1c", tissues, image)
    rim, core = (np.median(painted.image[painted.labels == label]) for label in (RIM, CORE))
    assert rim > 105 > 80 > core


def test_a_metastasis_stays_on_its_side_and_no_straight_edge_of_its_swelling_follows_the_midline(
    tissues, image
):
    roundness = []
    for seed in range(20):
        lesions, painted = paint(seed, "metastasis", "FLAIR", tissues, image)
        sign = np.sign(tissues.side[lesions[0].centre])
        if len(lesions) == 1 and abs(tissues.side[lesions[0].centre]) > 8:
            core = np.isin(painted.labels, (CORE, RIM)) & (tissues.side * sign < -3)
            assert not core.any()
            beyond = (painted.labels == OEDEMA) & (tissues.side * sign < -2)
            ends = (tissues.side * -sign * beyond).max(axis=1)[beyond.any(axis=1)]
            roundness += [np.ptp(ends)] if len(ends) > 8 else []
    assert roundness
    assert min(roundness) >= 3


def test_without_a_known_midline_a_lesion_still_grows(tissues, image):
    unsided = Tissues(tissues.brain, tissues.white, tissues.fluid, tissues.depth)
    _, painted = paint(1, "low-grade-glioma", "FLAIR", unsided, image)
    assert (painted.labels == CORE).sum() > 100
