"""Detectors with settings as one types them."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest

from atypia.cli.candidates import NAMES, contestants_of, file_safe, named
from atypia.cli.choice import FitChoice
from atypia.cli.choose import choose
from atypia.cli.compare import compare
from atypia.errors import BadOption

COMMON = FitChoice(
    detector=None,
    recipe=None,
    settings=(),
    epochs=None,
    learning_rate=None,
    encoder="efficientnet-lite0",
    weights=None,
    rule="mean+std",
    parameter=None,
    size=64,
    crop=None,
    threads=None,
)


def made(*specs, **options):
    return contestants_of(specs, COMMON, **options)


def test_settings_reach_the_detector_and_its_name():
    plain, smooth, bank = made("intensity", "intensity smoothing=1.5 percent=99", "patchcore scales=1")
    assert (plain.name, smooth.name) == ("intensity", "intensity-smoothing=1.5-percent=99")
    assert plain.build().detector.smoothing == 3.5
    detector = smooth.build().detector
    assert (detector.smoothing, detector.percent) == (1.5, 99)
    assert bank.name == "patchcore-scales=1"
    assert plain.settings["settings"] == ()
    assert smooth.settings["settings"] == ("smoothing=1.5", "percent=99")
    assert pickle.dumps(smooth)  # it goes to a process of its own


def test_an_encoder_members_and_a_rule_can_be_named():
    (one,) = made("ensemble@efficientnet-lite0 members=atlas,intensity rule=max intensity.percent=90")
    assert one.name == "ensemble-on-efficientnet-lite0-members=atlas,intensity-rule=max-intensity.percent=90"
    detector = one.build().detector
    assert [member.name for member in detector.members] == ["atlas", "intensity"]
    assert detector.rule == "max"
    assert detector.members[1].percent == 90


def test_a_recipe_takes_its_settings_and_epochs():
    first, second = made("vae epochs=3 learning-rate=0.01 code=16", "vae", epochs=7)
    recipe = first.build().detector.recipe
    assert (recipe.epochs, recipe.learning_rate, recipe.code) == (3, 0.01, (16,))
    assert recipe.variational
    assert second.build().detector.recipe.epochs == 7
    assert first.name == "vae-epochs=3-learning-rate=0.01-code=16"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("nobody", "expected a detector out of"),
        ("", "expected NAME"),
        ("intensity 'smoothing=1", "expected NAME"),
        ("intensity smooth=1", "expected NAME=VALUE with a setting of the detector intensity (smoothing"),
        ("intensity smoothing=soft", "smoothing: expected a number"),
        ("intensity percent", "expected NAME=VALUE"),
        ("ensemble members=atlas", "two or more different members"),
        ("vae epochs=few", "epochs: expected a number above 0; received 'few'"),
        ("vae epochs=0", "epochs: expected a number above 0"),
        ("vae nothing=1", "expected NAME=VALUE with a name out of"),
    ],
)
def test_what_is_wrong_is_told_with_the_spec(spec, told):
    with pytest.raises(BadOption) as error:
        made("atlas", spec)
    assert str(error.value).startswith(f"--try {spec!r}: ")
    assert told in str(error.value)
    assert "--set" not in str(error.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("atlas", "atlas"),
        ("intensity smoothing=1 percent=90", "intensity  percent=90 smoothing=1"),
    ],
)
def test_two_that_are_the_same_are_refused(one, other):
    with pytest.raises(BadOption, match="are one"):
        made(one, other)


def test_what_is_not_installed_costs_its_own_row(monkeypatch):
    monkeypatch.setattr("atypia.keras_backend.available", lambda: False)
    assert [one.name for one in made("denoising", "atlas")] == ["denoising", "atlas"]


def test_weights_that_are_missing_cost_the_row_of_who_needs_them():
    common = replace(COMMON, encoder="resnet50", weights=Path("nowhere.h5"))
    assert len(contestants_of(["nearest", "atlas"], common)) == 2


@pytest.mark.parametrize("name", ["a@b:c x=1,2", "a/../b", "x=" + "y" * 300, 'q="*?<>|'])
def test_names_can_be_folders(name, tmp_path):
    safe = file_safe(name)
    assert len(safe) <= 100
    (tmp_path / safe).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [safe]
    assert file_safe(name + "z") != safe


def test_every_name_can_be_asked_for():
    assert named(",".join(NAMES)) == list(NAMES)
    for wrong in ("", "nearest,nearest", "nobody"):
        with pytest.raises(BadOption, match="--detectors"):
            named(wrong)


@pytest.mark.parametrize("command", [compare, choose], ids=lambda command: command.name)
def test_the_examples_are_what_can_be_asked_for(command):
    told = [text for _, text in command.glossary.get("What can be picked", ())]
    specs = re.findall(r'--try "([^"]+)"', " ".join([*command.examples, *told]))
    assert len(specs) >= 2
    for spec in specs:
        assert len(contestants_of([spec], COMMON)) == 1
