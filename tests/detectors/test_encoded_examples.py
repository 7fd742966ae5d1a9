from __future__ import annotations

import numpy as np
import pytest

from atypia.detectors.encoded_examples import EncodedExamples, pool_cells
from atypia.detectors.pixel_examples import PixelExamples
from atypia.detectors.views import Views
from atypia.encoders import load_encoder
from atypia.encoders.feature_cache import FeatureCache
from atypia.encoders.one_grid import on_one_grid


@pytest.fixture(scope="module")
def encoder():
    return on_one_grid(load_encoder("efficientnet-lite0", cut=("stage8", "stage16"), threads=1))


@pytest.fixture
def views(heads_of, tmp_path):
    return Views(heads_of(5), tmp_path / "views", copies=1, seed=0)


@pytest.fixture
def examples(views, encoder, tmp_path):
    return EncodedExamples(views, encoder, FeatureCache(tmp_path / "cache"))


def test_features_are_the_encoder_s_and_the_truth_is_the_picture(examples, views, encoder):
    order = np.array([4, 1])
    for view in (0, 1):
        features, truth = examples.get(order, view)
        pixels = views.pixels(view, order)
        assert np.array_equal(truth, pixels)
        for found, expected in zip(features, encoder(pixels), strict=True):
            assert found.dtype == np.float32
            assert np.allclose(found, expected, rtol=1e-3, atol=1e-2)


def test_each_scan_and_view_is_encoded_once(examples, tmp_path):
    examples.encode_all()
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")}
    assert len(files) == 10
    examples.encode_all()
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")} == files


def test_cells_are_drawn_by_the_seed(examples):
    cells = examples.sample_cells(7, seed=3)
    assert [rows.shape for rows in cells] == [(35, 40), (35, 112)]
    for rows, again, other in zip(
        cells, examples.sample_cells(7, 3), examples.sample_cells(7, 4), strict=True
    ):
        assert np.array_equal(rows, again)
        assert not np.array_equal(rows, other)
    for maps, rows in zip(examples.get(np.array([0]), 0)[0], cells, strict=True):
        everywhere = maps.reshape(-1, maps.shape[-1])
        assert all((np.abs(everywhere - row).max(axis=1) < 1e-6).any() for row in rows[:7])


def test_the_number_of_cells_is_bounded(examples, monkeypatch):
    monkeypatch.setattr("atypia.detectors.encoded_examples.MOST_CELLS", 15)
    assert [len(rows) for rows in examples.sample_cells(40, seed=0)] == [15, 15]


def test_cells_are_pooled_by_their_mean():
    maps = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    assert pool_cells(maps, 2)[0, :, :, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert pool_cells(maps, 1) is maps


def test_a_network_with_an_encoder_of_its_own_reads_pictures(views, encoder):
    examples = PixelExamples(views, encoder)
    inputs, truth = examples.get(np.array([2, 0]), 1)
    assert len(examples) == 5
    assert np.array_equal(inputs[0], truth)
    assert np.array_equal(truth, views.pixels(1, np.array([2, 0])))
    assert examples.fingerprint == views.fingerprint(encoder.fingerprint)
