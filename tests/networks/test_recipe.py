from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from atypia.errors import BadOption, CorruptArtefact
from atypia.networks.recipe import RECIPES, Recipe


def test_the_published_system_is_as_published():
    reference = RECIPES["reference"]
    assert (reference.epochs, reference.batch_size, reference.code[-1]) == (80, 64, 128)
    assert (reference.loss, reference.score, reference.region, reference.top) == ("mse", "mse", "image", 1.0)
    assert (reference.augment, reference.whiten, reference.variational) == (0, 0, False)
    assert 7 * 2 ** len(reference.decoder) == 224


def test_what_ships_is_the_default():
    assert RECIPES["autoencoder"] == Recipe()


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_comes_back_from_json(name):
    recipe = RECIPES[name]
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_all_settings_are_saved():
    assert set(Recipe().to_dict()) == {item.name for item in fields(Recipe)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "epochs of at least 1; received 0"),
        ({"batch_size": -1}, "batch_size of at least 1"),
        ({"scales": 0}, "scales of at least 1"),
        ({"augment": -1}, "augment of at least 0"),
        ({"epoch_size": -5}, "epoch_size of at least 0"),
        ({"whiten": -1}, "whiten of at least 0"),
        ({"smoothing": -0.5}, "smoothing of at least 0"),
        ({"weight_decay": float("nan")}, "weight_decay of at least 0; received nan"),
        ({"learning_rate": 0.0}, "learning_rate above 0; received 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate above 0"),
        ({"dropout": 1.0}, r"dropout in \[0, 1\); received 1.0"),
        ({"dropout": -0.1}, "dropout in"),
        ({"top": 0.0}, r"top in \(0, 1\]; received 0.0"),
        ({"top": 1.1}, "top in"),
        ({"code": ()}, "code as one or more widths above 0"),
        ({"decoder": (8, 0)}, "decoder as one or more widths above 0"),
        ({"loss": "mae"}, "loss out of mse, ssim, features; received 'mae'"),
        ({"score": "psnr"}, "score out of mse, relative, ssim, features; received 'psnr'"),
        ({"region": "brain"}, "region out of image, foreground"),
        ({"bottleneck": "none"}, "bottleneck out of dense, conv"),
        ({"loss": "mse"}, "score 'features' needs the loss 'features'"),
        ({"whiten": 0}, "give 'whiten' above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, words):
    with pytest.raises(BadOption, match=words):
        replace(Recipe(), **change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"teacher": "resnet50"}, "unknown teacher"),
        ({"epochs": 0}, "epochs of at least 1"),
        ({"epochs": "many"}, "Not a network recipe"),
        ({"code": 8}, "Not a network recipe"),
    ],
)
def test_a_saved_recipe_that_makes_no_sense_is_corrupt(change, words):
    with pytest.raises(CorruptArtefact, match=words):
        Recipe.from_dict(Recipe().to_dict() | change)
