"""A prepared scan shows the head, in [0, 1], the same whatever the units of the file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.errors import BadOption, CorruptArtefact, UnreadableScan
from atypia.preparation import Geometry, Preparation, Prepared
from atypia.reading.folder import read_folder
from atypia.reading.picture import read_picture
from atypia.scan import Scan

HEAD = (slice(30, 90), slice(20, 60))


def scan(seed: int = 0, shape: tuple[int, int] = (120, 90)) -> Scan:
    """A noisy elliptic head 60 high and 40 wide in the upper left of the scan."""
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    radius = np.hypot((rows - 59.5) / 30, (columns - 39.5) / 20)
    pixels = np.where(radius <= 1, 100 + 60 * np.cos(3 * radius), 4) + rng.normal(0, 2, shape)
    return Scan(pixels.astype(np.float32), name="a.png")


def test_the_canvas_shows_the_head_with_its_margin() -> None:
    prepared = Preparation(size=64, margin=0.1)(scan())
    assert isinstance(prepared, Prepared)
    assert (prepared.pixels.shape, prepared.pixels.dtype) == ((64, 64), np.float32)
    assert (prepared.foreground.shape, prepared.foreground.dtype) == ((64, 64), np.bool_)
    assert prepared.pixels.min() == 0
    assert prepared.pixels.max() == 1
    corners = prepared.geometry.to_pixels(np.array([[-0.5, -0.5], [63.5, 63.5]])) + 0.5
    np.testing.assert_allclose(corners, [[24, 4], [96, 76]], atol=4)
    rows, columns = (np.flatnonzero(prepared.foreground.any(axis)) for axis in (1, 0))
    np.testing.assert_allclose((np.ptp(rows) + 1, np.ptp(columns) + 1), (64 / 1.2, 64 / 1.2 * 2 / 3), atol=4)


def test_the_canvas_beyond_the_scan_is_zero() -> None:
    bright = replace(scan(), pixels=scan().pixels[25:95, 15:65] + 50)
    prepared = Preparation(size=64, margin=0.3)(bright)
    beyond = ~prepared.geometry.inside
    assert 0.2 < beyond.mean() < 0.8
    assert not prepared.pixels[beyond].any()
    assert not prepared.foreground[beyond].any()


def test_stretching_fills_the_canvas_with_the_head() -> None:
    prepared = Preparation(size=64, margin=0, aspect="stretch")(scan())
    assert prepared.foreground[32].mean() > 0.95
    assert prepared.foreground[:, 32].mean() > 0.95


def test_without_crop_the_whole_scan_is_kept() -> None:
    whole = Preparation(size=60, crop=False)(scan())
    assert whole.geometry == Geometry.of_box((120, 90), 60, (0.0, -15.0), (120.0, 120.0))
    stretched = Preparation(size=60, crop=False, aspect="stretch", intensity="range")(scan())
    assert stretched.geometry == Geometry.of_box((120, 90), 60, (0.0, 0.0), (120.0, 90.0))
    assert stretched.geometry.inside.all()
    np.testing.assert_allclose(stretched.pixels.mean(), scan().pixels.clip(0).mean() / 255, atol=2e-3)


def test_a_map_of_the_canvas_returns_to_the_head() -> None:
    prepared = Preparation(size=64)(scan())
    back = prepared.geometry.to_input(prepared.foreground.astype(np.float32))
    assert back.shape == (120, 90)
    assert back[60, 40] == 1
    rows, columns = (np.flatnonzero((back > 0.5).any(axis)) for axis in (1, 0))
    found = (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1)
    np.testing.assert_allclose(found, (HEAD[0].start, HEAD[0].stop, HEAD[1].start, HEAD[1].stop), atol=3)


@settings(max_examples=40, deadline=None)
@given(
    gain=st.floats(0.05, 40),
    offset=st.floats(-300, 300),
    crop=st.booleans(),
    intensity=st.sampled_from(["robust", "tissue"]),
    bias_field=st.booleans(),
)
def test_units_do_not_matter(
    gain: float, offset: float, crop: bool, intensity: Any, bias_field: bool
) -> None:
    one = scan()
    other = replace(one, pixels=(one.pixels * gain + offset).astype(np.float32))
    preparation = Preparation(
        size=48, crop=crop, intensity=intensity, bias_field=bias_field, upright=False, interior="rim"
    )
    a, b = preparation(one), preparation(other)
    # A pixel at the very threshold may move the box by one, and the background that is measured outside.
    if a.geometry == b.geometry and np.array_equal(a.foreground, b.foreground):
        np.testing.assert_allclose(a.pixels, b.pixels, atol=2e-3 * max(1.0, 1 / gain))
    assert np.mean(a.foreground != b.foreground) < 0.05


def test_tissue_lies_at_a_quarter_and_the_background_at_nothing() -> None:
    prepared = Preparation(size=96, intensity="tissue")(scan())
    assert np.median(prepared.pixels[prepared.interior]) == pytest.approx(0.25, abs=0.01)
    assert np.median(prepared.pixels[~prepared.foreground]) < 0.01
    bright = scan()
    bright.pixels[50:60, 30:40] = 400
    lesion = Preparation(size=96, intensity="tissue")(bright)
    assert np.median(lesion.pixels[lesion.interior]) == pytest.approx(0.25, abs=0.01)
    assert lesion.pixels.max() > 0.6


def test_an_even_head_stays_even_where_shading_is_taken_away() -> None:
    even = scan()
    shading = np.exp(np.linspace(-0.25, 0.25, 120))[:, None]
    shaded = replace(even, pixels=((even.pixels - 4) * shading + 4).astype(np.float32))
    plain, evened = (Preparation(size=96, bias_field=which, upright=False)(shaded) for which in (False, True))
    wanted = Preparation(size=96, bias_field=True, upright=False)(even)
    inside = wanted.interior & plain.interior

    def distance(prepared: Prepared) -> float:
        return float(np.abs(prepared.pixels - wanted.pixels)[inside].mean())

    assert evened.geometry == plain.geometry
    assert distance(evened) < 0.5 * distance(plain)


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(17, 130),
    width=st.integers(17, 130),
    crop=st.booleans(),
    aspect=st.sampled_from(["keep", "stretch"]),
    intensity=st.sampled_from(["robust", "range"]),
)
def test_every_shape_and_option_gives_a_canvas(
    height: int, width: int, crop: bool, aspect: Any, intensity: Any
) -> None:
    pixels = np.random.default_rng(height).uniform(0, 200, (height, width)).astype(np.float32)
    prepared = Preparation(size=40, crop=crop, aspect=aspect, intensity=intensity)(Scan(pixels, "a"))
    assert ((prepared.pixels >= 0) & (prepared.pixels <= 1)).all()
    assert prepared.foreground.any()
    assert prepared.geometry.to_input(prepared.pixels).shape == (height, width)


@pytest.mark.parametrize("intensity", ["robust", "range"])
@pytest.mark.parametrize("level", [0.0, 128.0])
def test_an_empty_scan_is_refused_by_name(level: float, intensity: Any) -> None:
    empty = Scan(np.full((50, 50), level, np.float32), "black.png", path=Path("x/black.png"))
    with pytest.raises(UnreadableScan, match=r"x/black\.png: expected a head .* received no contrast"):
        Preparation(intensity=intensity)(empty)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((3, 50, 50)), "one slice"),
        (np.zeros((10, 50)), "at least 16x16"),
        (np.zeros((16, 129)), "sides that differ by a factor of 8 at most"),
        (np.full((50, 50), np.nan), "finite pixel values"),
    ],
)
def test_what_is_no_slice_is_refused(pixels: np.ndarray, message: str) -> None:
    with pytest.raises(UnreadableScan, match=rf"a\.png: expected .*{message}"):
        Preparation()(Scan(pixels.astype(np.float32), "a.png"))


BAD: list[dict[str, Any]] = [
    {"size": 31},
    {"size": 4096},
    {"size": 224.0},
    {"size": True},
    {"crop": 1},
    {"margin": -0.1},
    {"margin": float("nan")},
    {"margin": "0.1"},
    {"aspect": "squash"},
    {"intensity": "none"},
    {"p_low": 50, "p_high": 50},
    {"p_high": 101},
    {"p_low": None},
    {"upright": "yes"},
    {"bias_field": 1},
    {"interior": "bone"},
]


@pytest.mark.parametrize("options", BAD, ids=str)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(BadOption, match=rf"{next(iter(options))}.*: expected .*, received"):
        Preparation(**options)
    with pytest.raises(CorruptArtefact, match="preparation: "):
        Preparation.from_dict(Preparation().to_dict() | options)


def test_parameters_go_through_json_and_back() -> None:
    preparation = Preparation(size=96, crop=False, margin=0.2, aspect="stretch", intensity="range", p_low=2)
    assert Preparation.from_dict(json.loads(json.dumps(preparation.to_dict()))) == preparation


def test_a_file_from_before_heads_were_set_upright_goes_on_as_it_was() -> None:
    values = Preparation(size=96).to_dict()
    later = ("upright", "bias_field", "interior", "square_pixels")
    old = {name: values[name] for name in values if name not in later}
    assert Preparation.from_dict(old) == Preparation(
        size=96, upright=False, interior="rim", square_pixels=False
    )
    del values["square_pixels"]
    assert Preparation.from_dict(values) == Preparation(size=96, square_pixels=False)
    with pytest.raises(CorruptArtefact, match="expected the parameters"):
        Preparation.from_dict(old | {"upright": True})


def test_unknown_and_missing_parameters_are_refused() -> None:
    values = Preparation().to_dict()
    with pytest.raises(
        CorruptArtefact, match=r"expected the parameters aspect, bias_field, crop.*received.*rotate"
    ):
        Preparation.from_dict(values | {"rotate": True})
    del values["crop"]
    with pytest.raises(CorruptArtefact, match="expected the parameters"):
        Preparation.from_dict(values)


@pytest.mark.real_data
@pytest.mark.parametrize("folder", ["kaggle-brain-mri/Healthy", "brisc2025-train/tumor"])
def test_real_heads_fill_their_canvas(real_data: Path, folder: str) -> None:
    shares = []
    for row in read_folder(real_data / folder)[::40]:
        prepared = Preparation(size=96)(read_picture(row.path))
        rows, columns = (np.flatnonzero(prepared.foreground.any(axis)) for axis in (1, 0))
        assert max(np.ptp(rows), np.ptp(columns)) > 0.85 * 96
        shares.append(prepared.foreground.mean())
    assert 0.4 < np.median(shares) < 0.75
