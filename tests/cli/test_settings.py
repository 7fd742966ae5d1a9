from __future__ import annotations

import pytest

from atypia.cli.settings import SETTINGS, detector_settings, recipe_of, recipes_explained, show
from atypia.detectors import DETECTORS
from atypia.detectors.making import settings_of
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


@pytest.mark.parametrize(
    ("detector", "setting", "name", "value"),
    [
        ("lesion-simulation", "steps=2000", "steps", 2000),
        ("lesion-simulation", "learning-rate=1e-3", "learning_rate", 1e-3),
        ("lesion-simulation", "widths= 8,16", "widths", (8, 16)),
        ("restoration", "strengths=0.5,1", "strengths", (0.5, 1.0)),
        ("ensemble", "rule=fisher", "rule", "fisher"),
        ("atlas", "retrieved = 8", "retrieved", 8),
    ],
)
def test_a_setting_of_a_detector_is_read_as_its_default_is(detector, setting, name, value):
    read = detector_settings(detector, [setting])
    assert read == {name: value}
    assert type(read[name]) is type(value)


@pytest.mark.parametrize(
    ("detector", "setting", "told"),
    [
        ("intensity", "frob=1", r"detector intensity \(smoothing, percent\); received 'frob=1'"),
        ("intensity", "percent", "NAME=VALUE"),
        ("intensity", "percent=inf", "--set percent: expected a number, such as 98"),
        ("lesion-simulation", "steps=2.5", "--set steps: expected a whole number"),
        ("lesion-simulation", "widths=8,,16", "--set widths: expected values with commas, such as"),
        ("ensemble", "variational=true", "The autoencoder has it: add --detector autoencoder"),
    ],
)
def test_what_is_no_setting_of_a_detector_is_refused_and_said(detector, setting, told):
    with pytest.raises(BadOption, match=told):
        detector_settings(detector, [setting])


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_what_is_shown_of_a_detector_can_be_typed(name):
    usual = settings_of(name)
    assert detector_settings(name, [f"{key}={show(value)}" for key, value in usual.items()]) == usual
