from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from atypia.keras_backend import keras
from atypia.networks.network import Network
from atypia.networks.recipe import RECIPES, Recipe
from atypia.networks.scoring import make_scorer

SIZE, GRID = 32, 4


@pytest.fixture(scope="module")
def data(draw_heads):
    """Pixels, foreground, and what a network might have made of them."""
    rng = np.random.default_rng(0)
    pixels, foreground = draw_heads(3, size=SIZE)
    reconstruction = np.clip(pixels + rng.normal(0, 0.1, pixels.shape), 0, 1).astype(np.float32)
    features = rng.normal(size=(2, 3, GRID, GRID, 2, 5)).astype(np.float32)
    return {
        "pixels": pixels,
        "foreground": foreground.astype(np.float32),
        "reconstruction": reconstruction,
        "components": features[0],
        "expected": features[1],
    }


def score(data, **settings):
    """Score by a network that hands on the reconstruction and the features that it is given."""
    settings = {"whiten": 0, "loss": "mse", "score": "mse", "smoothing": 0.0, "top": 1.0} | settings
    if settings["score"] == "features":
        settings |= {"loss": "features", "whiten": 5}
    k = keras()
    puts = [k.Input(data[name].shape[1:]) for name in ("reconstruction", "components", "expected")]
    network = Network(puts, *puts, None, None)
    scorer = make_scorer(network, Recipe(**settings), puts, SIZE)
    names = ("reconstruction", "components", "expected", "pixels", "foreground")
    return scorer.predict([data[name] for name in names], verbose=0)[:2]


def highest(values, share):
    count = max(1, int(np.ceil(share * len(values))))
    return np.sort(values)[-count:].mean()


@pytest.mark.parametrize("top", [1.0, 0.3, 0.05, 1e-4])
@pytest.mark.parametrize("region", ["image", "foreground"])
def test_score_is_the_mean_of_the_highest_squared_errors_of_the_region(data, region, top):
    error = (data["pixels"] - data["reconstruction"]) ** 2
    inside = np.ones_like(error) if region == "image" else data["foreground"]
    expected = [highest(e[i > 0], top) for e, i in zip(error, inside, strict=True)]
    scores, heat = score(data, region=region, top=top)
    assert np.allclose(scores, expected, rtol=1e-3)
    assert np.allclose(heat, error * inside, atol=1e-6)


def test_relative_error_is_the_share_of_the_variance_that_was_not_expected(data):
    inside = data["foreground"] > 0
    error = (data["pixels"] - data["reconstruction"]) ** 2
    pairs = zip(error, data["pixels"], inside, strict=True)
    expected = [e[i].mean() / (p[i].var() + 1e-4) for e, p, i in pairs]
    assert np.allclose(score(data, score="relative")[0], expected, rtol=1e-3)


def test_ssim_score_is_zero_for_what_was_expected(data):
    scores, heat = score(data | {"reconstruction": data["pixels"]}, score="ssim")
    assert np.allclose(scores, 0, atol=1e-4)
    assert np.allclose(heat, 0, atol=1e-3)
    assert (score(data, score="ssim")[0] > 0.01).all()


def test_feature_score_is_the_cosine_distance_of_the_cells_in_the_head(data):
    found, expected = data["components"], data["expected"]
    lengths = np.linalg.norm(found, axis=-1) * np.linalg.norm(expected, axis=-1)
    error = (1 - (found * expected).sum(axis=-1) / lengths).mean(axis=-1)
    cells = data["foreground"].reshape(3, GRID, 8, GRID, 8).mean(axis=(2, 4)) > 0.5
    scores, heat = score(data, score="features")
    assert np.allclose(scores, [e[c].mean() for e, c in zip(error, cells, strict=True)], atol=1e-4)
    upscaled = [ndimage.zoom(e, 8, order=1, mode="nearest", grid_mode=True) for e in error]
    assert np.allclose(heat, np.stack(upscaled) * data["foreground"], atol=1e-4)


def test_a_head_too_small_for_any_cell_is_judged_on_all_of_them(data):
    small = np.zeros_like(data["foreground"])
    small[:, 15:17, 15:17] = 1
    whole = score(data | {"foreground": np.ones_like(small)}, score="features", top=0.2)[0]
    assert np.allclose(score(data | {"foreground": small}, score="features", top=0.2)[0], whole)


def test_the_map_is_smoothed_and_ends_at_the_head(data):
    rough, smooth = (score(data, smoothing=s)[1] for s in (0.0, 2.0))
    assert (smooth[data["foreground"] == 0] == 0).all()
    error = (data["pixels"] - data["reconstruction"]) ** 2
    expected = ndimage.gaussian_filter(error, (0, 2, 2), truncate=3)
    middle = np.s_[:, 12:20, 12:20]
    assert np.allclose(smooth[middle], expected[middle], rtol=0.05)
    assert smooth.max() < rough.max()


def test_the_map_of_the_image_goes_to_its_edge(data):
    assert (score(data, region="image")[1][data["foreground"] == 0] > 0).any()


def test_a_scan_s_score_does_not_depend_on_the_others(data):
    worse = {name: values.copy() for name, values in data.items()}
    worse["reconstruction"][2] = 1 - worse["reconstruction"][2]
    for kind in ("mse", "relative", "ssim"):
        (before, map_before), (after, map_after) = score(data, score=kind), score(worse, score=kind)
        assert np.allclose(before[:2], after[:2], atol=1e-6)
        assert np.allclose(map_before[:2], map_after[:2], atol=1e-6)
        assert after[2] > 2 * before[2]


def test_what_ships_scores_by_features_and_the_reference_by_squared_error():
    assert RECIPES["autoencoder"].score == "features"
    assert replace(RECIPES["reference"]).score == "mse"
