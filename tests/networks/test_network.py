from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from atypia.errors import BadOption
from atypia.networks.network import check_stages
from atypia.networks.recipe import RECIPES, Recipe
from atypia.networks.reconstructor import part_names

PARTS = {
    "reference": {"pixels"},
    "autoencoder": {"pixels", "features"},
    "vae": {"pixels", "features", "kl"},
    "batch-norm": {"pixels"},
    "deeper": {"pixels"},
    "small-bottleneck": {"pixels"},
    "conv-bottleneck": {"pixels", "features"},
    "ssim": {"pixels", "ssim"},
}


def test_every_recipe_is_named_here():
    assert PARTS.keys() == RECIPES.keys()


@pytest.fixture(scope="module", params=list(RECIPES))
def each(request, small):
    return request.param, small(RECIPES[request.param])


def test_every_recipe_trains_and_exports_what_keras_computes(each):
    name, network = each
    told = network.step()
    assert set(told) == {"loss"} | PARTS[name] == {"loss", *part_names(network.recipe)}
    assert all(np.isfinite(value) for value in told.values())
    score, heat, reconstruction = network.exported()
    assert (score.shape, heat.shape, reconstruction.shape) == ((5,), (5, 64, 64), (5, 64, 64))
    assert all(array.dtype == np.float32 for array in (score, heat, reconstruction))
    assert ((reconstruction >= 0) & (reconstruction <= 1)).all()
    for found, expected in zip((score, heat, reconstruction), network.predicted(), strict=True):
        assert np.allclose(found, expected, atol=1e-4)


def test_same_seed_same_weights_and_python_s_own_generator_is_left_alone(small):
    random.seed(1)
    expected = random.random()
    random.seed(1)
    first = small(RECIPES["vae"], seed=3).model.get_weights()
    assert random.random() == expected
    again, other = (small(RECIPES["vae"], seed=seed).model.get_weights() for seed in (3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_whitening_is_part_of_the_network_and_not_trained(small):
    network = small(RECIPES["autoencoder"])
    before = [np.array(w.matrix) for w in network.whitening]
    network.step()
    matrices = [weight for weight in network.model.get_weights() if weight.ndim == 2]
    for matrix in before:
        assert any(np.array_equal(matrix, found) for found in matrices if found.shape == matrix.shape)


def test_the_network_reads_whitened_features(small):
    network = small(RECIPES["autoencoder"])
    components = network.model.predict(network.features, verbose=0)["components"]
    fine, coarse = network.features
    pooled = fine.reshape(5, 4, 2, 4, 2, -1).mean(axis=(2, 4))
    for layer, (maps, whitening) in enumerate(zip((pooled, coarse), network.whitening, strict=True)):
        assert np.allclose(components[..., layer, :], whitening(maps), atol=1e-4)


def test_a_variational_code_is_drawn_in_training_and_not_in_scoring(small):
    network = small(RECIPES["vae"])
    calls = [network.model(network.features, training=training) for training in (True, True, False, False)]
    drawn, again, scored, rescored = (np.asarray(call["reconstruction"]) for call in calls)
    assert not np.array_equal(drawn, again)
    assert np.array_equal(scored, rescored)


@pytest.mark.parametrize(
    ("recipe", "size", "grid"),
    [
        (Recipe(), 224, 14),
        (Recipe(), 224, 7),
        (Recipe(decoder=(8, 8)), 64, 16),
        (RECIPES["reference"], 64, 16),
        (RECIPES["conv-bottleneck"], 256, 16),
    ],
)
def test_decoders_that_fit_are_taken(recipe, size, grid):
    check_stages(recipe, size, grid)


@pytest.mark.parametrize(
    ("recipe", "size", "grid", "words"),
    [
        (Recipe(), 240, 15, "5 doublings lead to, received 240 pixels. .* multiple of 32"),
        (RECIPES["reference"], 112, 7, "received 112 pixels"),
        (
            Recipe(decoder=(8, 8)),
            224,
            14,
            "grid of 14x14, received 2 stages, on grids of 56, 112. Choose more",
        ),
        (Recipe(), 224, 28 * 3, "grid of 84x84"),
        (replace(RECIPES["conv-bottleneck"], loss="mse", score="mse", decoder=(8, 8)), 224, 14, "14x14"),
    ],
)
def test_decoders_that_lead_elsewhere_are_refused(recipe, size, grid, words):
    with pytest.raises(BadOption, match=words):
        check_stages(recipe, size, grid)
