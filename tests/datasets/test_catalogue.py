from __future__ import annotations

import pytest

from atypia.datasets.catalogue import DATASETS, WIDTH, describe, find_dataset
from atypia.errors import BadOption


def test_every_entry_says_where_how_and_what_is_wrong():
    for name, dataset in DATASETS.items():
        facts = (
            dataset.title,
            dataset.where,
            dataset.licence,
            dataset.layout,
            dataset.size,
            dataset.how_to_get,
        )
        assert dataset.name == name
        assert all(facts), name
        assert dataset.known_faults, name


def test_only_sets_on_kaggle_are_fetchable():
    fetchable = [dataset for dataset in DATASETS.values() if dataset.fetchable]
    assert [dataset.name for dataset in fetchable] == ["kaggle-brain-mri"]
    assert fetchable[0].handle == "murtozalikhon/brain-tumor-multimodal-image-ct-and-mri"


def test_table_names_every_set_and_fits_a_terminal():
    lines = describe().splitlines()
    assert [line.split()[0] for line in lines if line and not line.startswith((" ", "Can"))] == list(DATASETS)
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize("name", DATASETS)
def test_card_holds_every_fault(name):
    card = " ".join(describe(name).split())
    assert card.startswith(f"{name}: ")
    for fault in DATASETS[name].known_faults:
        assert " ".join(fault.split()) in card


def test_card_tells_the_measured_faults_of_the_reference_set():
    card = " ".join(describe("kaggle-brain-mri").split())
    for fact in ("341 distinct", "0.92 (bytes per pixel)", "about 8 %", "sources disagree"):
        assert fact in card


def test_unknown_name_gets_the_nearest_one():
    with pytest.raises(BadOption, match=r"received 'oasis1'\. Did you mean 'oasis-1'\?"):
        find_dataset("oasis1")
