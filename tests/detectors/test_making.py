from __future__ import annotations

import inspect
import typing

import pytest

from atypia.detectors import DETECTORS, Autoencoder, Ensemble
from atypia.detectors.making import MEMBERS, make_detector, settings_of, uses_encoder
from atypia.errors import BadOption

ENCODER = "efficientnet-lite0"


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_every_detector_is_made_by_its_name_with_its_own_defaults(name):
    detector = make_detector(name, encoder=ENCODER, threads=1)
    assert type(detector) is DETECTORS[name]
    again = make_detector(name, encoder=ENCODER, settings=settings_of(name))
    assert type(again) is DETECTORS[name]


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_every_setting_has_a_default_of_its_kind(name):
    """What is typed is read as the default is: a whole number there would refuse 0.5."""
    hints = typing.get_type_hints(DETECTORS[name].__init__)
    for key, value in settings_of(name).items():
        if hints[key] in (int, float, bool, str):
            assert type(value) is hints[key], f"{name}.{key}"
        elif isinstance(value, tuple):
            assert value, f"{name}.{key}"


def test_settings_and_encoder_reach_the_detector():
    nearest = make_detector("nearest", encoder=ENCODER, settings={"components": 7}, threads=2)
    assert (nearest.encoder, nearest.components, nearest.threads) == (ENCODER, 7, 2)
    autoencoder = make_detector("autoencoder", encoder=ENCODER)
    assert isinstance(autoencoder, Autoencoder)
    assert autoencoder.recipe.encoder == ENCODER


def test_an_ensemble_is_made_of_its_members_with_their_settings():
    ensemble = make_detector(
        "ensemble",
        encoder=ENCODER,
        settings={"rule": "max"},
        members=("nearest", "intensity", "autoencoder"),
        of_members={"intensity": {"percent": 50.0}},
    )
    assert isinstance(ensemble, Ensemble)
    assert ensemble.rule == "max"
    nearest, intensity, autoencoder = ensemble.members
    assert nearest.encoder == autoencoder.recipe.encoder == ENCODER
    assert intensity.percent == 50
    assert tuple(member.name for member in make_detector("ensemble").members) == MEMBERS


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": "nobody"}, r"detector out of asymmetry, .*; received 'nobody'"),
        (
            {"name": "intensity", "settings": {"frob": 1}},
            "intensity has the settings smoothing, percent; received frob",
        ),
        ({"name": "autoencoder", "settings": {"frob": 1}}, "has the settings none"),
        ({"name": "intensity", "settings": {"percent": 200}}, "percent from 0 to 100"),
        ({"name": "ensemble", "members": ("nearest", "ensemble")}, "cannot be a member of one"),
        ({"name": "ensemble", "members": ("nearest", "nobody")}, "received 'nobody'"),
        ({"name": "ensemble", "members": ("nearest",)}, "two or more different members .* received nearest"),
        ({"name": "ensemble", "members": ("nearest", "nearest")}, "different members"),
        ({"name": "ensemble", "members": ()}, "received none"),
        ({"name": "ensemble", "of_members": {"intensity": {"percent": 90}}}, "received some of intensity"),
    ],
)
def test_what_there_is_not_is_refused(given, told):
    with pytest.raises(BadOption, match=told):
        make_detector(**given)


def test_who_builds_on_an_encoder_is_known():
    for name, kind in DETECTORS.items():
        assert uses_encoder(name, ("atlas", "intensity")) == (
            "encoder" in inspect.signature(kind).parameters or name == "autoencoder"
        )
    assert uses_encoder("ensemble", ("atlas", "nearest"))
