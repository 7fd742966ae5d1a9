from __future__ import annotations

import json


def test_the_card_is_told_in_words(atypia, nearest_file):
    outcome = atypia("info", nearest_file)
    assert (outcome.code, outcome.err) == (0, "")
    lines = [line.split(maxsplit=1) for line in outcome.out.splitlines()]
    assert [line[0] for line in lines if len(line) == 1][:2] == ["detector", "encoder"]
    assert ["name", "nearest"] in lines
    assert ["cut", "stage8,stage16"] in lines
    assert ["train_scans", "24"] in lines
    assert ["crop", "true"] in lines
    assert outcome.out.splitlines()[-1].endswith("Research use only. Not a medical device.")
    assert not any(mark in outcome.out for mark in "[]{}")


def test_the_card_of_a_network_tells_its_recipe(atypia, autoencoder_file):
    lines = [line.split(maxsplit=1) for line in atypia("info", autoencoder_file).out.splitlines()]
    assert ["decoder", "16,8,8,8,8"] in lines
    assert ["encoder", "efficientnet-lite0"] in lines


def test_the_card_as_json(atypia, nearest_file):
    card = json.loads(atypia("info", nearest_file, "--json").out)
    assert card["encoder"]["name"] == "efficientnet-lite0"
    assert card["threshold"]["rule"] == "mean+std"
