from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.preparation import Geometry, Preparation, Prepared
from atypia.scan import Scan
from atypia.screener import HealthyMap
from atypia.screener.map_calibration import FOLDS, MapCalibration, _parts
from atypia.screener.regions import Pieces

SIZE = 64


@pytest.fixture(scope="module")
def heads(draw_heads):
    return draw_heads(40, size=SIZE)[1]


def noise(rng: np.random.Generator, head: np.ndarray) -> np.ndarray:
    """A map whose values hang together, as those of cells do."""
    cells = rng.normal(size=(SIZE // 8, SIZE // 8))
    return (np.kron(cells, np.ones((8, 8))) * head).astype(np.float32)


@pytest.fixture(scope="module")
def learned(heads) -> HealthyMap:
    rng = np.random.default_rng(8)
    with MapCalibration() as calibration:
        for head in heads:
            calibration.add(noise(rng, head), head)
        return calibration.learn()


def prepared(head: np.ndarray, geometry: Geometry | None = None) -> Prepared:
    whole = Geometry.of_box((64, 64), 64, (0, 0), (64, 64))
    return Prepared(head.astype(np.float32), head, head, geometry or whole)


def spotted(head: np.ndarray, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    heat = np.zeros(head.shape, np.float32)
    for place, (top, left, bottom, right) in enumerate(boxes):
        heat[top:bottom, left:right] = 20 + place
    return heat * head


def test_pieces_are_connected_and_specks_are_left_out():
    excess = np.zeros((100, 100), np.float32)
    excess[10:20, 10:20], excess[30:34, 30:40], excess[50, 50] = 0.5, 2, 9
    pieces = Pieces.of(excess)
    assert pieces.masses == pytest.approx([50, 80])
    assert (pieces.labels == pieces.numbers[1]).sum() == 40
    assert Pieces.of(np.zeros((50, 50), np.float32)).masses.size == 0


def test_two_spots_are_two_regions_the_heavier_first(learned, heads):
    head = heads[0]
    heat = spotted(head, (24, 26, 30, 32), (34, 28, 44, 38))
    found = learned.find(heat, prepared(head))
    assert found is not None
    first, second = found.regions
    assert (first.area, second.area) == (100, 36)
    assert first.box == (34, 28, 44, 38)
    assert second.box == (24, 26, 30, 32)
    assert first.centre == (38.5, 32.5)
    assert (first.peak, first.mean) == (21, 21)
    assert first.p_value <= second.p_value <= 0.1
    assert first.area_mm2 is None
    assert np.array_equal(found.labels == 1, heat == 21)
    assert np.array_equal(found.labels == 2, heat == 20)


def test_places_and_areas_are_those_of_the_input(learned, heads):
    head = heads[0]
    geometry = Geometry.of_box((200, 120), SIZE, (20.0, -4.0), (128.0, 128.0))
    found = learned.find(spotted(head, (34, 28, 44, 38)), prepared(head, geometry), spacing=(0.5, 2.0))
    (region,) = found.regions
    assert region.area == 400
    assert region.area_mm2 == pytest.approx(400)
    assert region.box == (88, 52, 108, 72)
    assert region.centre == pytest.approx((97.5, 61.5))
    carried = found.to_input(geometry)
    assert carried.shape == (200, 120)
    assert (carried[90:106, 54:70] == 1).all()
    outside = carried.copy()
    outside[87:109, 51:73] = 0
    assert not outside.any()


def test_healthy_maps_seldom_have_regions(learned, heads):
    rng = np.random.default_rng(99)
    found = [learned.find(noise(rng, head), prepared(head)) for head in heads for _ in range(5)]
    share = np.mean([bool(one.regions) for one in found])
    assert 0.02 < share < 0.2


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0, 6))
def test_regions_lie_inside_the_head_and_the_input(learned, heads, seed, above):
    rng = np.random.default_rng(seed)
    head = heads[seed % len(heads)]
    rows, columns = (int(side) for side in rng.integers(30, 200, 2))
    corner = (float(rng.uniform(-20, 10)), float(rng.uniform(-20, 10)))
    geometry = Geometry.of_box((rows, columns), SIZE, corner, (rows * 1.1, columns * 1.1))
    heat = (noise(rng, head) + above * spotted(head, (30, 25, 42, 40)) / 20).astype(np.float32)
    found = learned.find(heat, prepared(head, geometry))
    assert not found.labels[~head].any()
    p_values = [region.p_value for region in found.regions]
    assert p_values == sorted(p_values)
    for region in found.regions:
        top, left, bottom, right = region.box
        assert 0 <= top < bottom <= rows
        assert 0 <= left < right <= columns
        assert 0 <= region.centre[0] <= rows - 1
        assert region.area >= 1
        assert region.mean <= region.peak
        assert 0 < region.p_value <= 0.1


def test_regions_do_not_change_with_the_units_of_the_map(heads):
    found = []
    for gain, shift in ((1, 0), (4, 16)):
        rng = np.random.default_rng(2)
        with MapCalibration() as calibration:
            for head in heads:
                calibration.add(gain * noise(rng, head) + shift, head)
            healthy = calibration.learn()
        heat = gain * (noise(rng, heads[0]) + spotted(heads[0], (30, 25, 42, 40))) + shift
        found.append(healthy.find(heat.astype(np.float32), prepared(heads[0])))
    assert found[0].regions
    assert np.array_equal(found[0].labels, found[1].labels)
    assert [r.p_value for r in found[0].regions] == [r.p_value for r in found[1].regions]


def test_a_patient_s_scans_stay_in_one_part():
    parts = _parts(9, ["a", "b", "a", None, None, "c", "b", "d", "e"])
    assert parts[0] == parts[2]
    assert parts[1] == parts[6]
    assert set(parts.tolist()) == set(range(FOLDS))
    assert _parts(7, ()).tolist() == [0, 1, 2, 3, 4, 0, 1]


def test_scans_of_one_patient_alone_can_be_calibrated_on(heads):
    rng = np.random.default_rng(1)
    with MapCalibration() as calibration:
        for head in heads[:6]:
            calibration.add(noise(rng, head), head)
        assert len(calibration.masses(["one"] * 6)) == 6


def test_a_screener_tells_regions_with_and_without_heat_maps(nearest, draw_heads):
    ill, _ = draw_heads(6, size=48, seed=4, lesion=0.6)
    scans = [Scan(200 * head, str(n), spacing=(2.0, 2.0)) for n, head in enumerate(ill)]
    without, beside = (list(nearest.score(scans, heatmaps=wanted)) for wanted in (False, True))
    assert [finding.regions for finding in without] == [finding.regions for finding in beside]
    assert all(finding.region_map is None for finding in without)
    for finding in beside:
        assert finding.region_map.shape == finding.heatmap.shape == (48, 48)
        assert finding.region_map.max() == len(finding.regions)
        assert all(region.area_mm2 == pytest.approx(4 * region.area, rel=0.1) for region in finding.regions)


def test_an_older_map_tells_no_regions(heads):
    older = HealthyMap.from_dict({"median": 0.1, "threshold": 0.9})
    assert older.find(noise(np.random.default_rng(0), heads[0]), prepared(heads[0])) is None
    assert older.p_values(noise(np.random.default_rng(0), heads[0]), heads[0]) is None
    assert set(older.to_dict()) == {"median", "threshold"}


def test_it_goes_through_json(learned, heads):
    again = HealthyMap.from_dict(learned.to_dict())
    heat = spotted(heads[0], (30, 25, 42, 40))
    assert again.find(heat, prepared(heads[0])).regions == learned.find(heat, prepared(heads[0])).regions
    assert np.array_equal(again.p_values(heat, heads[0]), learned.p_values(heat, heads[0]))


def test_a_prepared_head_fits(learned, draw_heads):
    """The way of a real scan: found, cropped, carried back."""
    pixels, _ = draw_heads(1, size=100)
    made = Preparation(size=SIZE)(Scan(pixels[0] * 100, "head"))
    heat = np.where(made.foreground, 0, 0).astype(np.float32)
    heat[28:40, 28:40] = 30
    (region,) = learned.find(heat, made).regions
    top, left, bottom, right = region.box
    assert top < region.centre[0] < bottom
    assert left < region.centre[1] < right
    assert (bottom - top) * (right - left) == pytest.approx(region.area, rel=0.2)
