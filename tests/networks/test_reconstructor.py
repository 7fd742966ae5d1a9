from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from atypia.networks.recipe import RECIPES


@pytest.fixture(scope="module")
def vae(small):
    return small(RECIPES["vae"])


def told(network, kl_now: float) -> dict[str, float]:
    """Return the losses without training."""
    network.model.kl_now.assign(kl_now)
    network.model.reset_metrics()
    return network.model.test_on_batch(network.features, network.pixels, return_dict=True)


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_the_loss_is_the_sum_of_its_parts_with_the_kl_weighted(vae, weight):
    parts = told(vae, weight)
    assert parts["loss"] == pytest.approx(
        parts["pixels"] + parts["features"] + weight * parts["kl"], rel=1e-4
    )
    assert parts["kl"] > 0


def test_pixels_is_the_mean_squared_error(vae):
    reconstruction = vae.model.predict(vae.features, verbose=0)["reconstruction"]
    expected = np.mean((vae.pixels - reconstruction) ** 2)
    assert told(vae, 0.0)["pixels"] == pytest.approx(expected, rel=1e-4)


def test_with_ssim_the_squared_error_is_told_and_not_minimised(small):
    parts = told(small(RECIPES["ssim"]), 0.0)
    assert parts["loss"] == pytest.approx(parts["ssim"], rel=1e-5)
    assert parts["pixels"] != pytest.approx(parts["ssim"], rel=1e-2)


@pytest.mark.parametrize(
    ("change", "rate"), [({}, 1e-3), ({"fine_tune": True}, 1e-4), ({"weight_decay": 0.1}, 1e-3)]
)
def test_a_pretrained_encoder_is_trained_at_a_tenth_of_the_rate(small, change, rate):
    optimizer = small(replace(RECIPES["reference"], learning_rate=1e-3, **change)).model.optimizer
    assert float(optimizer.learning_rate) == pytest.approx(rate)
    assert (optimizer.weight_decay or 0.0) == change.get("weight_decay", 0.0)
