from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from atypia.errors import UnreadableScan
from atypia.evaluation.metrics import auroc
from atypia.reading.collection import read_collection
from atypia.reading.row import Row
from atypia.scalars import CATEGORIES, GROUPS, SCALARS, TRIVIAL, measure_row, measure_rows


def test_every_scalar_has_one_group_and_a_meaning(head, save):
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(SCALARS) == sorted(measure_row(save(head)))
    assert set(TRIVIAL) | CATEGORIES <= set(SCALARS)
    assert all(meaning and "\n" not in meaning for meaning in SCALARS.values())


def test_one_bad_file_costs_one_row(head, save, tmp_path):
    good = save(head, "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    rows = [good, Row(tmp_path / "bad.png", "bad.png"), Row(tmp_path / "none.png", "none.png"), good]
    measured = measure_rows(rows, outside=True)
    assert measured.names == tuple(SCALARS)
    assert measured.values.shape == (4, len(SCALARS))
    assert set(measured.errors) == {1, 2}
    assert "bad.png: expected a JPEG" in measured.errors[1]
    assert np.isnan(measured.values[1:3]).all()
    assert measured.values[0].tolist() == pytest.approx(list(measure_row(good).values()), nan_ok=True)
    assert np.array_equal(measured.values[0], measured.values[3], equal_nan=True)
    assert measured.outside is not None
    assert measured.outside.shape == (4, 32, 32)
    with pytest.raises(UnreadableScan):
        measure_row(rows[1])


def test_a_blank_picture_has_no_head_and_no_error(save):
    found = measure_row(save(np.full((64, 64), 0.5)))
    assert found["border"] == 0.5
    assert found["mean_intensity"] == pytest.approx(128 / 255)
    assert all(
        math.isnan(found[name]) for name in ("head_area", "head_mean", "asymmetry", "interior_p98", "glyphs")
    )


def test_a_strip_that_cannot_be_prepared_is_measured(save):
    strip = np.zeros((20, 400), np.float32)
    strip[5:15, 100:300] = 1
    found = measure_row(save(strip))
    assert found["aspect"] == 20
    assert math.isnan(found["asymmetry"])


def test_no_rows_and_an_unknown_column():
    measured = measure_rows([])
    assert measured.values.shape == (0, len(SCALARS))
    with pytest.raises(KeyError):
        measured.column("beauty")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    height=st.integers(16, 90),
    width=st.integers(16, 90),
    seed=st.integers(0, 1000),
    wide=st.booleans(),
)
def test_whatever_a_picture_shows_shares_are_shares(tmp_path, height, width, seed, wide):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 65536 if wide else 256, (height, width))
    if seed % 3 == 0:
        pixels = pixels * (rng.random((height, width)) < 0.02)
    Image.fromarray(pixels.astype(np.uint16 if wide else np.uint8)).save(tmp_path / "a.png")
    found = measure_row(Row(tmp_path / "a.png", "a.png"))
    assert (found["width"], found["height"]) == (width, height)
    shares = [name for name, meaning in SCALARS.items() if "share of" in meaning] + ["asymmetry"]
    for name in shares:
        assert math.isnan(found[name]) or 0 <= found[name] <= 1, name


@pytest.mark.real_data
def test_bytes_per_pixel_tells_the_web_collected_classes_apart(real_data):
    rows = list(read_collection(real_data / "kaggle-brain-mri"))[::40]
    measured = measure_rows(rows)
    labels = [row.label == "abnormal" for row in rows]
    assert not measured.errors
    assert 1 - auroc(measured.column("bytes_per_pixel"), labels) > 0.85


def test_a_slice_has_no_scalars_of_the_file_of_its_volume(tmp_path, rng):
    import nibabel

    from atypia.reading.volumes import list_slices

    path = tmp_path / "a.nii.gz"
    places = np.stack(np.meshgrid(*[np.linspace(-1, 1, 40)] * 3))
    head = 900 * ((places**2).sum(axis=0) < 0.6) + rng.uniform(0, 20, (40, 40, 40))
    nibabel.save(nibabel.Nifti1Image(head.astype(np.float32), np.eye(4)), path)
    scalars = measure_row(list_slices(Row(path, "a"))[10])
    assert (scalars["width"], scalars["height"], scalars["pixel_count"]) == (40, 40, 1600)
    assert np.isnan([scalars[name] for name in ("bytes_per_pixel", "file_format", "file_suffix")]).all()
