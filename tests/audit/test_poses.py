"""Pictures laid otherwise than their fellows, drawn so that the poses can, or can not, be told apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from atypia.audit.first_look import SIDE, Pictures
from atypia.audit.poses import find_posed
from atypia.audit.strangers import find_strangers
from atypia.reading.row import Row

COUNT = 64
LAID = {
    "turned": lambda one: np.rot90(one),
    "upside down": lambda one: np.rot90(one, 2),
    "mirrored": lambda one: one[:, ::-1],
}


def draw(rng: np.random.Generator, *, lopsided: bool) -> np.ndarray:
    """Draw a head (S, S) in [0, 1], a bright spot above, two dark ones below, and texture of its own."""
    rows, columns = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE - 0.5
    pixels = 0.5 * ((rows / 0.46) ** 2 + (columns / 0.38) ** 2 < 1)
    spots = [(-0.25, 0.0, 0.3), (0.15, -0.15, -0.3), (0.15, 0.15, -0.3)]
    for row, column, bright in [*spots, *([(-0.05, 0.2, 0.4)] if lopsided else [])]:
        down, right = rng.normal(0, 0.015, 2)
        pixels = pixels + bright * ((rows - row - down) ** 2 + (columns - column - right) ** 2 < 0.09**2)
    own = gaussian_filter(rng.normal(size=pixels.shape), SIDE / 24)
    return np.clip(pixels + 0.08 * own / own.std() * (pixels > 0), 0, 1)


@pytest.fixture
def kept(tmp_path) -> Callable[[list[np.ndarray]], Pictures]:
    """Keep drawn heads as the audit keeps prepared ones."""

    def keep(drawn: list[np.ndarray]) -> Pictures:
        stored = [np.stack([np.uint8(255 * one), np.uint8(one > 0.1)]) for one in drawn]
        (tmp_path / "pictures").write_bytes(np.stack(stored).tobytes())
        return Pictures(tmp_path / "pictures", np.arange(len(drawn)))

    return keep


@pytest.mark.parametrize("kind", LAID)
def test_those_that_lie_otherwise_are_named_and_no_others(kept, rng, kind):
    drawn = [draw(rng, lopsided=True) for _ in range(COUNT)]
    drawn[:3] = [LAID[kind](one) for one in drawn[:3]]
    found = list(find_posed(kept(drawn), np.arange(COUNT), seed=0))
    assert [(one.place, one.kind) for one in found] == [(place, kind) for place in range(3)]
    assert all(one.gain < 0.8 for one in found)


def test_mirrored_ones_can_not_be_told_where_the_anatomy_is_symmetric(kept, rng):
    drawn = [draw(rng, lopsided=False) for _ in range(COUNT)]
    drawn[:3] = [one[:, ::-1] for one in drawn[:3]]
    assert list(find_posed(kept(drawn), np.arange(COUNT), seed=0)) == []


def test_a_copy_is_no_fellow(kept, rng):
    """Two copies of one picture, both upside down, do not vouch for each other."""
    drawn = [draw(rng, lopsided=True) for _ in range(COUNT)]
    drawn[0] = drawn[1] = drawn[0][::-1, ::-1]
    clusters = np.array([0, 0, *range(1, COUNT - 1)])
    assert {one.place for one in find_posed(kept(drawn), clusters, seed=0)} == {0, 1}


@pytest.mark.parametrize(("flipped", "told"), [(4, 4), (16, 0)])
def test_a_set_without_one_pose_is_not_listed(tmp_path: Path, rng, monkeypatch, flipped, told):
    """Where more than a tenth lies upside down there is no pose to lie against."""
    monkeypatch.setattr("atypia.audit.strangers.how_unusual", lambda *_, **__: None)
    rows = []
    for n in range(COUNT):
        pixels = draw(rng, lopsided=False)
        path = tmp_path / f"{n}.png"
        Image.fromarray(np.uint8(255 * (pixels[::-1] if n < flipped else pixels))).save(path)
        rows.append(Row(path, path.name, label="normal"))
    found = find_strangers(rows, np.arange(COUNT))
    assert sum(one.kind == "upside down" for one in found) == told
    assert all(one.score > 1 and "lies upside down" in one.reason for one in found)
