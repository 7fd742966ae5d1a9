import numpy as np
import pytest
from scipy import ndimage

from atypia.datasets.phantom import SEQUENCES, TUMOUR_KINDS, phantom_image
from atypia.errors import BadOption


def same(one, two):
    return np.array_equal(one.pixels, two.pixels) and np.array_equal(one.labels, two.labels)


def test_the_same_seed_gives_the_same_image_in_any_order():
    forwards = {seed: phantom_image(seed, abnormal=True) for seed in (1, 2, 3)}
    backwards = {seed: phantom_image(seed, abnormal=True) for seed in (3, 2, 1)}
    assert all(same(forwards[seed], backwards[seed]) for seed in forwards)
    assert not np.array_equal(forwards[1].pixels, forwards[2].pixels)


def test_a_healthy_image_is_whole_and_has_an_empty_mask():
    for seed in range(8):
        phantom = phantom_image(seed)
        assert phantom.pixels.shape == phantom.mask.shape == phantom.labels.shape == (224, 224)
        assert phantom.pixels.dtype == phantom.labels.dtype == np.uint8
        assert phantom.mask.dtype == bool
        assert not phantom.mask.any()
        assert not phantom.labels.any()
        assert phantom.kind == "healthy"
        assert phantom.sequence in SEQUENCES
        assert phantom.seed == seed
        assert phantom.pixels.max() > 120
        assert 15 < phantom.pixels.mean() < 140


def test_what_is_asked_for_is_drawn():
    phantom = phantom_image(4, abnormal=True, sequence="T2", kind="meningioma", head=False)
    assert (phantom.sequence, phantom.kind) == ("T2", "meningioma")
    assert np.array_equal(phantom.mask, phantom.labels > 0)
    with_head = phantom_image(4, sequence="T2", head=True)
    without = phantom_image(4, sequence="T2", head=False)
    assert (with_head.pixels > 60).sum() > (without.pixels > 60).sum() + 1000


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("kind", TUMOUR_KINDS)
def test_a_lesion_lies_in_the_brain_and_makes_the_difference_to_its_healthy_twin(kind, sequence):
    seed = 40
    sick = phantom_image(seed, abnormal=True, sequence=sequence, kind=kind, head=False)
    twin = phantom_image(seed, sequence=sequence, head=False)
    in_t2 = phantom_image(seed, sequence="T2", head=False)  # where fluid is bright, so that no brain is dark
    brain = ndimage.binary_fill_holes(in_t2.pixels > 25)
    assert sick.mask.sum() > 60
    assert (sick.mask & brain).sum() > 0.97 * sick.mask.sum()
    difference = np.abs(sick.pixels.astype(float) - twin.pixels)
    far = brain & ~ndimage.binary_dilation(sick.mask, iterations=25)
    assert difference[sick.mask].mean() > max(6, 2 * difference[far].mean())


@pytest.mark.parametrize(("sequence", "sign"), [("T1c", 1), ("FLAIR", 1), ("T2", 1), ("T1", -1)])
def test_lesions_are_bright_or_dark_against_their_surround_as_the_sequence_has_it(sequence, sign):
    contrasts = []
    for seed in range(60, 68):
        kind = "metastasis" if sequence == "T1c" else "low-grade-glioma"
        sick = phantom_image(seed, abnormal=True, sequence=sequence, kind=kind)
        tumour = np.isin(sick.labels, (1, 4))
        surround = ndimage.binary_dilation(sick.mask, iterations=6) & ~sick.mask
        pixels = sick.pixels.astype(float)
        contrasts.append((pixels[tumour].mean() - pixels[surround].mean()) / pixels[surround].mean())
    assert sign * np.median(contrasts) > 0.1


def test_how_bright_the_picture_is_does_not_give_the_lesion_away():
    shift = [
        np.median(phantom_image(seed, abnormal=True, sequence="T1c", kind="meningioma").pixels.astype(float))
        - np.median(phantom_image(seed, sequence="T1c").pixels)
        for seed in range(6)
    ]
    assert np.abs(shift).max() <= 3


@pytest.mark.parametrize(
    "options",
    [
        {"seed": -1},
        {"seed": 0, "sequence": "CT"},
        {"seed": 0, "abnormal": True, "kind": "stroke"},
        {"seed": 0, "kind": "meningioma"},
    ],
)
def test_nonsense_is_refused_in_words(options):
    with pytest.raises(BadOption, match="expected"):
        phantom_image(options.pop("seed"), **options)
