"""What the options offer is written where nothing heavy is imported; here it is held to the tables."""

from __future__ import annotations

from dataclasses import fields

import click
import pytest

from atypia.cli import evaluate, fit, phantom, score, settings, split
from atypia.cli.choice import AUTOENCODER, ENSEMBLE, NAMES, TRAINED, UNTRAINED, FitChoice
from atypia.datasets.phantom import SEQUENCES
from atypia.detectors import DETECTORS
from atypia.detectors.making import MEMBERS
from atypia.detectors.network_detector import NetworkDetector
from atypia.encoders import AUTO, ENCODERS, FAMILIES
from atypia.networks.recipe import RECIPES, Recipe
from atypia.reading.row import SPLITS
from atypia.scan import Finding
from atypia.threshold import RULES
from atypia.writing.table import FindingsWriter


def offered(command: click.Command, name: str) -> list[str]:
    (option,) = [option for option in command.params if option.name == name]
    assert isinstance(option.type, click.Choice)
    return list(option.type.choices)


def test_what_fit_offers_is_what_there_is():
    assert set(offered(fit.fit, "detector")) == set(NAMES) == set(DETECTORS)
    assert len(offered(fit.fit, "detector")) == len(DETECTORS)
    assert {AUTOENCODER, ENSEMBLE, UNTRAINED, *TRAINED, *MEMBERS} <= set(DETECTORS)
    assert UNTRAINED not in TRAINED
    (encoder,) = [option for option in fit.fit.params if option.name == "encoder"]
    assert all(word in encoder.help for word in (AUTO, *ENCODERS, *(f"{name}:" for name in FAMILIES)))
    assert offered(fit.fit, "rule") == list(RULES)
    assert offered(fit.fit, "recipe") == list(RECIPES)


def test_those_that_train_are_known():
    trained = {name for name, kind in DETECTORS.items() if issubclass(kind, NetworkDetector)}
    assert set(TRAINED) == (trained | {AUTOENCODER}) - {"pretrained-synthetic"}
    said = NAMES[ENSEMBLE]
    assert all(member in said for member in MEMBERS)


def test_what_the_others_offer_is_what_there_is():
    assert offered(phantom.phantom, "sequences") == list(SEQUENCES)
    assert offered(evaluate.evaluate, "split") == list(SPLITS)
    assert split.SPLITS == SPLITS


@pytest.mark.parametrize("kind", score.FORMATS)
def test_every_format_offered_can_be_written(kind, tmp_path):
    with FindingsWriter(tmp_path / f"findings.{kind}") as writer:
        writer.write(Finding("a.png", 1.0, 0.5, False, 2.0))
    assert (tmp_path / f"findings.{kind}").stat().st_size > 0


def test_defaults_of_fit_are_those_of_the_library():
    defaults = {option.name: option.default for option in fit.fit.params}
    assert defaults["rule"] == next(iter(RULES))
    assert defaults["encoder"] == AUTO == Recipe().encoder


def test_every_choice_of_fit_is_an_option():
    options = {option.name for option in fit.fit.params}
    # Those of the scans, not of the Screener.
    others = {"scans", "out", "root", "seed", "cluster", "allow_leak", "planes", "strip", "volume"}
    others |= {
        "sweep",
        "engine",
        "address",
        "workers",
        "cpus_per_worker",
        "gpus_per_worker",
    }  # of many Screeners
    assert {item.name for item in fields(FitChoice)} == options - others


def test_every_recipe_and_setting_is_explained():
    assert [name for name, _ in settings.recipes_explained()] == list(RECIPES)
    explained = dict(settings.settings_explained())
    assert set(explained) | set(settings.OWN_OPTIONS) == {item.name for item in fields(Recipe)}
    assert explained["code"] == "64  (reference: 256,128)"


def test_the_columns_explained_are_those_written(tmp_path):
    with FindingsWriter(tmp_path / "findings.csv"):
        pass
    written = (tmp_path / "findings.csv").read_text(encoding="utf-8").strip().split(",")
    assert [name for name, _ in score.score.glossary["Columns of the findings"]] == written
