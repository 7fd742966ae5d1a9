"""A Screener that was fitted on volumes compares slices with slices of their position."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from atypia.artefact import read_artefact, write_artefact
from atypia.errors import CorruptArtefact, NotEnoughScans
from atypia.scan import Scan
from atypia.screener import Screener
from atypia.screener.position_scale import PositionScale

SLICES = 6


@pytest.fixture(scope="module")
def slices(draw_heads) -> list[Scan]:
    """Six axial slices of each of 24 patients, brighter towards the upper end."""
    pixels, _ = draw_heads(24 * SLICES, size=32, seed=5)
    found = []
    for number, head in enumerate(pixels):
        patient, place = divmod(number, SLICES)
        position = place / (SLICES - 1)
        ends = np.clip(head + 0.6 * position * (head > 0.1), 0, 1.6)
        found.append(
            Scan(200 * ends, f"{number:03}", plane="axial", group=f"p{patient:02}", position=position)
        )
    return found


@pytest.fixture(scope="module")
def parts(slices) -> tuple[list[Scan], list[Scan]]:
    return slices[: 12 * SLICES], slices[12 * SLICES :]


@pytest.fixture
def fitted(make, parts) -> Screener:
    return make(rule="conformal", parameter=0.1, fitness=False).fit(parts[0], calibration=parts[1])


def test_it_is_learned_where_there_are_enough_volumes(make, parts, fitted):
    assert isinstance(fitted.position_scale_, PositionScale)
    assert fitted.report_.unplaced is None
    assert fitted.planes_ == ("axial",)
    assert fitted.card()["position"]["planes"] == ["axial"]
    few = make(fitness=False).fit(parts[0], calibration=parts[1][: 9 * SLICES])
    assert few.position_scale_ is None
    assert few.report_.unplaced == "54 axial slices of 9 patients are kept aside, needed are 50 of 10"
    pictures = [replace(scan, position=None) for scan in parts[1]]
    plain = make(fitness=False).fit(parts[0], calibration=pictures)
    assert (plain.position_scale_, plain.report_.unplaced) == (None, None)
    assert plain.card()["position"] == {}


def test_it_can_be_refused_and_demanded(make, parts):
    off = make(by_position=False, fitness=False).fit(*parts[:1], calibration=parts[1])
    assert off.position_scale_ is None
    assert off.report_.unplaced == "not asked for"
    asked = make(by_position=True, fitness=False)
    with pytest.raises(
        NotEnoughScans, match="at least 10 patients kept aside: 30 axial slices of 5 patients"
    ):
        asked.fit(parts[0], calibration=parts[1][: 5 * SLICES])
    assert asked.detector.seen is None


def test_scores_are_standard_deviations_at_their_position(fitted, parts):
    found = list(fitted.score(parts[1]))
    raw = list(replace(fitted, position_scale_=None).score(parts[1]))
    scale = fitted.position_scale_
    for finding, plain, scan in zip(found, raw, parts[1], strict=True):
        assert finding.score == scale.standardised(plain.score, scan.position, "axial")[0]
        assert finding.flagged == (finding.score > finding.threshold)
        assert finding.flagged == (finding.p_value <= 0.1)
        assert finding.stratum is None
    for place in range(SLICES):
        assert abs(np.mean([finding.score for finding in found[place::SLICES]])) < 0.5
    rising = [np.mean([finding.score for finding in raw[place::SLICES]]) for place in range(SLICES)]
    assert rising == sorted(rising)


def test_a_bright_slice_is_unusual_only_where_slices_are_dark(fitted, parts):
    top, bottom = parts[1][SLICES - 1], parts[1][0]
    moved = replace(top, position=bottom.position)
    usual, unusual = fitted.score([top, moved])
    assert unusual.score > usual.score + 2
    assert unusual.p_value < usual.p_value / 2


def test_a_scan_without_a_position_is_compared_with_all(fitted, parts):
    unknown = [replace(scan, position=None) for scan in parts[1]]
    found = list(fitted.score(unknown))
    assert {finding.stratum for finding in found} == {"position not known"}
    assert {finding.threshold for finding in found} != {fitted.threshold_.value}
    assert all(finding.flagged == (finding.p_value <= 0.1) for finding in found)
    raw = list(replace(fitted, position_scale_=None).score(unknown))
    assert (
        np.argsort([one.score for one in found]).tolist() == np.argsort([one.score for one in raw]).tolist()
    )
    (other,) = fitted.score([replace(parts[1][0], plane="coronal")])
    assert other.stratum == "position not known"


def test_strata_stay_beside_it(fitted, parts):
    by_plane = fitted.with_threshold("conformal", 0.1, ["plane"])
    (known,) = by_plane.score(parts[1][:1])
    assert known.stratum == "plane=axial"
    (unknown,) = by_plane.score([replace(parts[1][0], position=None)])
    assert unknown.stratum == "plane=axial, position not known"


def test_it_is_saved_without_names_and_loaded(nearest, fitted, tmp_path):
    file = tmp_path / "brain.atypia"
    replace(nearest, position_scale_=fitted.position_scale_, planes_=("axial",)).save(file)
    again = Screener.load(file)
    assert again.planes_ == ("axial",)
    assert again.position_scale_.to_dict() == fitted.position_scale_.to_dict()
    artefact = read_artefact(file)
    assert "p13" not in str(artefact.head)
    artefact.head["position_scale"]["spread"] = 0.0
    write_artefact(artefact, file)
    with pytest.raises(CorruptArtefact, match="scale by position"):
        Screener.load(file)


def test_a_file_from_before_positions_were_known_goes_on_as_it_was(nearest, folder, tmp_path):
    file = tmp_path / "old.atypia"
    nearest.save(file)
    artefact = read_artefact(file)
    del (
        artefact.head["position_scale"],
        artefact.head["planes"],
        artefact.head["preparation"]["square_pixels"],
    )
    write_artefact(artefact, file)
    old = Screener.load(file)
    assert (old.position_scale_, old.planes_, old.preparation.square_pixels) == (None, (), False)
    assert [f.score for f in old.score(folder)] == [f.score for f in nearest.score(folder)]
