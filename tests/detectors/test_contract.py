"""What every detector promises; to add one, give its factory in conftest.py."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from atypia.detectors import DETECTORS, Batch, FitContext, State
from atypia.errors import BadOption, CorruptArtefact, NotEnoughScans
from atypia.preparation import Preparation
from atypia.scan import Scan
from atypia.screener import HealthyMap, Screener
from atypia.threshold import Threshold

CLOSE = 1e-4


@pytest.fixture(params=sorted(DETECTORS))
def name(request):
    return request.param


@pytest.fixture
def detector(fitted, name):
    return fitted(name)


@pytest.fixture(scope="session")
def twins(heads_of):
    """Unseen healthy heads, and the same heads with a lesion."""
    return [heads_of(6, seed=9, lesion=lesion).batch(np.arange(6)) for lesion in (0.0, 0.5)]


def assert_equal(found, expected, atol=0.0):
    assert np.allclose(found.image, expected.image, rtol=0, atol=atol)
    assert np.allclose(found.map, expected.map, rtol=0, atol=atol)
    assert (found.reconstruction is None) == (expected.reconstruction is None)
    if found.reconstruction is not None:
        assert np.allclose(found.reconstruction, expected.reconstruction, rtol=0, atol=atol)


def test_every_detector_has_its_factory(factories):
    assert factories.keys() == DETECTORS.keys()
    assert all(kind.name == name for name, kind in DETECTORS.items())


def test_fit_returns_itself_and_the_same_seed_gives_the_same_scores(
    factories, detector, name, healthy, twins, tmp_path
):
    again = factories[name]()
    assert again.fit(healthy, FitContext(tmp_path, seed=3)) is again
    assert_equal(again.score(twins[1]), detector.score(twins[1]))


def test_scores_are_finite_and_of_the_promised_shapes_and_types(detector, twins):
    for batch in twins:
        scores = detector.score(batch)
        assert (scores.image.shape, scores.image.dtype) == ((6,), np.float64)
        assert (scores.map.shape, scores.map.dtype) == ((6, 64, 64), np.float32)
        assert np.isfinite(scores.image).all()
        assert np.isfinite(scores.map).all()
        if scores.reconstruction is not None:
            assert (scores.reconstruction.shape, scores.reconstruction.dtype) == ((6, 64, 64), np.float32)
            assert ((scores.reconstruction >= 0) & (scores.reconstruction <= 1)).all()


def test_a_lesion_scores_higher_than_its_healthy_twin(detector, twins):
    well, ill = (detector.score(batch).image for batch in twins)
    assert ill.mean() > well.mean() + well.std() / 2
    assert (ill > well).mean() > 0.6


def test_the_map_is_higher_where_the_lesion_is(detector, twins):
    well, ill = (detector.score(batch).map for batch in twins)
    lesion = np.abs(twins[1].pixels - twins[0].pixels) > 0.1
    head = twins[0].foreground & ~lesion
    assert (ill - well)[lesion].mean() > (ill - well)[head].mean()


def test_a_scan_scores_alone_as_it_does_among_others_in_any_order(detector, twins):
    batch = twins[1]
    together = detector.score(batch)
    order = np.array([3, 0, 5, 1, 4, 2])
    turned = detector.score(Batch(batch.pixels[order], batch.foreground[order]))
    assert np.allclose(turned.image, together.image[order], atol=CLOSE)
    assert np.allclose(turned.map, together.map[order], atol=CLOSE)
    for place in range(6):
        alone = detector.score(Batch(batch.pixels[[place]], batch.foreground[[place]]))
        assert np.allclose(alone.image[0], together.image[place], atol=CLOSE)
        assert np.allclose(alone.map[0], together.map[place], atol=CLOSE)


def test_scores_and_maps_are_in_raw_units(detector, twins):
    """No scan's numbers depend on another's, and no map is stretched to a range of its own."""
    well, ill = twins
    mixed = Batch(np.concatenate([well.pixels[:3], ill.pixels[3:]]), well.foreground)
    plain, beside = detector.score(well), detector.score(mixed)
    assert np.allclose(beside.image[:3], plain.image[:3], atol=CLOSE)
    assert np.allclose(beside.map[:3], plain.map[:3], atol=CLOSE)
    inside = [heat[head] for heat, head in zip(plain.map, well.foreground, strict=True)]
    assert np.ptp([values.max() for values in inside]) > 1e-3
    assert np.ptp([values.mean() for values in inside]) > 1e-5


def test_the_map_is_zero_outside_the_head(detector, twins):
    heat = detector.score(twins[1]).map
    assert (heat[~twins[1].foreground] == 0).all()
    # Inside it may be 0 where nothing departs from the healthy, but not everywhere.
    assert all(values[head].any() for values, head in zip(heat, twins[1].foreground, strict=True))


def test_scoring_changes_neither_the_scans_nor_the_detector(detector, twins):
    pixels = twins[1].pixels.copy()
    first = detector.score(twins[1])
    assert_equal(detector.score(twins[1]), first)
    assert np.array_equal(twins[1].pixels, pixels)


def test_the_state_is_data_and_rebuilds_the_detector_bit_for_bit(detector, name, twins):
    state = detector.state()
    told = json.loads(json.dumps(state.parameters, allow_nan=False))
    assert all(array.dtype.kind in "fiub" for array in state.arrays.values())
    assert all(isinstance(graph, bytes) and graph for graph in state.graphs.values())
    rebuilt = DETECTORS[name].from_state(State(told, state.arrays, state.graphs))
    assert_equal(rebuilt.score(twins[1]), detector.score(twins[1]))
    assert json.dumps(rebuilt.state().parameters) == json.dumps(state.parameters)


def test_the_number_of_threads_does_not_matter(detector, name, twins):
    bounded = DETECTORS[name].from_state(detector.state(), threads=1)
    assert_equal(bounded.score(twins[0]), detector.score(twins[0]), atol=CLOSE)


def test_a_state_that_lacks_a_part_is_corrupt(detector, name):
    state = detector.state()
    for part in state.parameters:
        rest = {key: value for key, value in state.parameters.items() if key != part}
        with pytest.raises(CorruptArtefact):
            DETECTORS[name].from_state(State(rest, state.arrays, state.graphs))
    for part in state.graphs:
        graphs = {key: value for key, value in state.graphs.items() if key != part}
        with pytest.raises(CorruptArtefact):
            DETECTORS[name].from_state(State(state.parameters, state.arrays, graphs))
    if state.arrays:
        with pytest.raises(CorruptArtefact):
            DETECTORS[name].from_state(State(state.parameters, {}, state.graphs))


@pytest.mark.parametrize("count", [1, 9])
def test_too_few_scans_are_refused(factories, name, heads_of, tmp_path, count):
    with pytest.raises(NotEnoughScans, match=rf"'{name}' needs at least \d+ healthy scans, received {count}"):
        factories[name]().fit(heads_of(count), FitContext(tmp_path))


def test_nothing_is_scored_or_saved_before_a_fit(factories, name, twins):
    for ask in (lambda new: new.score(twins[0]), lambda new: new.state()):
        with pytest.raises(BadOption, match="has not been fitted"):
            ask(factories[name]())


SCORING = """
import sys
import numpy as np
from pathlib import Path
from atypia.scan import Scan
from atypia.screener import Screener
scans = [Scan(pixels, str(place)) for place, pixels in enumerate(np.load(sys.argv[1]))]
for path in sys.argv[2:]:
    print(*(repr(finding.score) for finding in Screener.load(Path(path)).score(scans)))
print(sorted({"keras", "tensorflow", "tf2onnx", "torch", "jax"} & set(sys.modules)))
"""


def test_a_saved_detector_scores_alike_in_another_process_without_what_only_training_needs(
    fitted, twins, tmp_path
):
    threshold, healthy_map = Threshold.learn(np.arange(9.0)), HealthyMap(0.0, 1.0)
    preparation = Preparation(size=64)
    screeners = {
        tmp_path / f"{name}.atypia": Screener(
            fitted(name), preparation, threshold_=threshold, healthy_map_=healthy_map
        )
        for name in sorted(DETECTORS)
    }
    for path, screener in screeners.items():
        screener.save(path)
    np.save(tmp_path / "scans.npy", twins[1].pixels)
    words = [sys.executable, "-c", SCORING, tmp_path / "scans.npy", *screeners]
    out = subprocess.run(words, capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr
    *lines, loaded = out.stdout.splitlines()
    assert loaded == "[]"
    scans = [Scan(pixels, str(place)) for place, pixels in enumerate(twins[1].pixels)]
    for line, screener in zip(lines, screeners.values(), strict=True):
        assert np.allclose(
            [float(word) for word in line.split()], [f.score for f in screener.score(scans)], atol=1e-6
        )
