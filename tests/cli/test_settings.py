from __future__ import annotations

import pytest

from atypia.cli.settings import SETTINGS, recipe_of, recipes_explained, show
from atypia.errors import BadOption
from atypia.networks.recipe import RECIPES


@pytest.mark.parametrize(
    ("setting", "name", "value"),
    [
        ("code=32", "code", (32,)),
        ("decoder=64, 32,16", "decoder", (64, 32, 16)),
        ("cut=conv3,conv4", "cut", ("conv3", "conv4")),
        ("cut=none", "cut", ()),
        ("batch-norm=no", "batch_norm", False),
        ("variational=TRUE", "variational", True),
        ("whiten=8", "whiten", 8),
        ("top=0.25", "top", 0.25),
        ("weight_decay=1e-4", "weight_decay", 1e-4),
        ("score=relative", "score", "relative"),
    ],
)
def test_a_setting_is_read_as_its_recipe_has_it(setting, name, value):
    read = getattr(recipe_of("autoencoder", (setting,)), name)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("frob=1", "NAME=VALUE with a name out of scales"),
        ("code", "NAME=VALUE"),
        ("code=a", "values with commas, such as 64"),
        ("whiten=2.5", "a whole number, such as 64"),
        ("top=nan", "a number, such as 0.05"),
        ("batch_norm=2", "true or false, such as true"),
        ("epochs=3", "give --epochs"),
        ("encoder=resnet50", "give --encoder"),
        ("learning-rate=1", "give --learning-rate"),
        ("score=frob", "score out of"),
        ("top=2", "top in"),
    ],
)
def test_what_is_no_setting_is_refused_and_said(setting, told):
    with pytest.raises(BadOption, match=told):
        recipe_of("autoencoder", (setting,))


def test_given_values_win_and_none_keeps_the_recipe():
    recipe = recipe_of("vae", ("code=16",), epochs=3, encoder="resnet50", learning_rate=None)
    assert (recipe.epochs, recipe.encoder, recipe.code) == (3, "resnet50", (16,))
    assert recipe.learning_rate == RECIPES["vae"].learning_rate
    assert recipe.variational


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_what_is_shown_can_be_typed(recipe, name):
    """Every setting of every recipe can be copied from the help into the recipe that ships."""
    everything = tuple(f"{key}={show(getattr(recipe, key))}" for key in SETTINGS)
    assert getattr(recipe_of("autoencoder", everything), name) == getattr(recipe, name)


def test_a_recipe_is_explained_by_what_it_changes():
    told = dict(recipes_explained())
    assert told["small-bottleneck"] == "reference with code=32"
    assert told["conv-bottleneck"] == "autoencoder with bottleneck=conv, code=8"
