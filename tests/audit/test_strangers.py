"""Strangers planted among the healthy slices of the small phantom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atypia.audit.strangers import Stranger, find_strangers
from atypia.datasets.phantom import write_phantom
from atypia.reading.collection import read_collection
from atypia.reading.row import Row


@dataclass(frozen=True)
class Planted:
    """Rows, of which those in `places` were planted, by kind."""

    rows: list[Row]
    places: dict[str, int]


def as_ct(pixels: np.ndarray) -> np.ndarray:
    """Draw a skull of bone around an even brain, as large as the head of a slice."""
    rows, columns = np.nonzero(pixels > 40)
    height, width = np.ptp(rows) / 2, np.ptp(columns) / 2
    down, across = np.indices(pixels.shape)
    radius = np.hypot((down - rows.mean()) / height, (across - columns.mean()) / width)
    return np.uint8(np.where(radius > 1, 0, np.where(radius > 0.96, 70, np.where(radius > 0.82, 255, 100))))


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Planted:
    folder = tmp_path_factory.mktemp("set")
    write_phantom(folder / "phantom", healthy=44, abnormal=1, seed=5, sequences=("T1",))
    rows = [replace(row, label="normal") for row in read_collection(folder / "phantom" / "healthy")]
    slices = [np.asarray(Image.open(row.path).convert("L")) for row in rows[:8]]
    half = [np.asarray(Image.fromarray(one).resize((120, 120))) for one in slices[:4]]
    rng = np.random.default_rng(0)
    drawn = {
        "CT": as_ct(slices[0]),
        "blank": np.full((200, 200), 90, np.uint8),
        "montage": np.block([[half[0], half[1]], [half[2], half[3]]]),
        "noise": np.uint8(np.clip(slices[1] + rng.normal(0, 90, slices[1].shape), 0, 255)),
        "not like the others": np.uint8(np.indices((200, 200))[1] // 20 % 2 * 200),
        "turned": np.rot90(slices[2]),
    }
    for kind, pixels in drawn.items():
        path = folder / f"{kind}.png"
        Image.fromarray(np.ascontiguousarray(pixels)).save(path)
        rows.append(Row(path, path.name, label="normal"))
    broken = folder / "broken.png"
    broken.write_text("no picture")
    rows.append(Row(broken, broken.name))
    return Planted(rows, {kind: len(rows) - 7 + number for number, kind in enumerate(drawn)})


@pytest.fixture(scope="module")
def found(planted) -> tuple[Stranger, ...]:
    return find_strangers(planted.rows, np.arange(len(planted.rows)))


@pytest.mark.parametrize("kind", ["CT", "blank", "montage", "noise", "not like the others", "turned"])
def test_each_is_found_for_what_it_is(planted, found, kind):
    by_place = {one.index: one for one in found}
    assert by_place[planted.places[kind]].kind == kind
    assert by_place[planted.places[kind]].score > 1


def test_the_planted_ones_come_first_and_each_once(planted, found):
    strong = [one.index for one in found if one.score > 1]
    assert set(planted.places.values()) <= set(strong)
    assert len(strong) <= len(planted.places) + 3
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert len({one.index for one in found}) == len(found)


def test_a_broken_file_is_passed_over(planted, found):
    assert len(planted.rows) - 1 not in {one.index for one in found}


def test_few_images_are_looked_at_one_by_one(planted):
    some = [planted.rows[planted.places[kind]] for kind in ("CT", "blank", "montage")] + planted.rows[:6]
    told = {one.index: one.kind for one in find_strangers(some, np.arange(len(some)))}
    assert (told[1], told[2]) == ("blank", "montage")
    assert find_strangers([], np.arange(0)) == ()


def test_copies_of_a_stranger_do_not_hide_it(planted):
    """Three copies of one picture stand in one cluster, and are compared with the others only."""
    odd = planted.rows[planted.places["not like the others"]]
    rows = [*planted.rows[:30], odd, odd, odd]
    clusters = np.array([*range(30), 30, 30, 30])
    told = {one.index for one in find_strangers(rows, clusters) if one.kind == "not like the others"}
    assert {30, 31, 32} <= told


def test_the_same_seed_gives_the_same_list(planted):
    rows = planted.rows[-33:]
    first, second = (find_strangers(rows, np.arange(len(rows)), seed=4) for _ in range(2))
    assert first
    assert first == second


def test_paths_that_are_missing_are_passed_over(tmp_path: Path):
    assert find_strangers([Row(tmp_path / "none.png", "none.png")], np.arange(1)) == ()
