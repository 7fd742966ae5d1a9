from collections import Counter

import numpy as np
import pytest
from PIL import Image

from atypia.datasets.phantom import phantom_image, template, write_phantom
from atypia.errors import BadOption, MissingExtra, OutputError
from atypia.reading.collection import read_collection


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("phantom")
    return out, write_phantom(out, healthy=10, abnormal=4, seed=3)


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_table_lists_every_image_once_with_a_group_of_its_own(written):
    out, collection = written
    assert (out / "table.csv").read_text().splitlines()[0] == "path,label,split,group,kind,mask"
    assert read_collection(out / "table.csv").rows == collection.rows
    assert [row.name for row in collection][:2] == ["healthy/0000.png", "healthy/0001.png"]
    assert len({row.group for row in collection}) == len(collection) == 14
    assert all(row.path.is_file() for row in collection)


def test_healthy_images_are_split_and_abnormal_ones_are_for_testing(written):
    _, collection = written
    healthy, abnormal = collection.select(label="normal"), collection.select(label="abnormal")
    assert Counter(row.split for row in healthy) == {"train": 6, "threshold": 2, "test": 2}
    assert {row.kind for row in healthy} == {"healthy"}
    assert all(row.mask is None for row in healthy)
    assert {row.split for row in abnormal} == {"test"}
    assert all(row.kind != "healthy" for row in abnormal)


def test_pictures_and_masks_are_those_of_their_seeds(written):
    _, collection = written
    row = collection.select(label="abnormal").rows[2]
    phantom = phantom_image(3_500_002, abnormal=True, sequence="T2")
    assert np.array_equal(np.asarray(Image.open(row.path)), phantom.pixels)
    assert np.array_equal(np.asarray(Image.open(row.mask)), phantom.mask)
    assert row.kind == phantom.kind


def test_the_note_says_that_the_data_are_synthetic_and_whose_template_it_is(written):
    text = (written[0] / "README.txt").read_text()
    assert text.startswith("Synthetic data")
    assert "Research use only. Not a medical device." in text
    assert "Copyright (C) 1993-2009 Louis Collins, McConnell Brain Imaging Centre" in text
    assert "provided that the above copyright notice appear in all copies" in text


def test_several_processes_write_the_same_files(written, tmp_path):
    write_phantom(tmp_path, healthy=10, abnormal=4, seed=3, jobs=2)
    assert files(tmp_path) == files(written[0])


def test_writing_again_changes_nothing_and_another_set_is_refused(tmp_path):
    write_phantom(tmp_path, healthy=2, abnormal=0)
    before = files(tmp_path)
    write_phantom(tmp_path, healthy=2, abnormal=0)
    assert files(tmp_path) == before
    with pytest.raises(BadOption, match=r"0001\.png"):
        write_phantom(tmp_path, healthy=1, abnormal=0)


def test_the_sequences_can_be_restricted(tmp_path):
    write_phantom(tmp_path, healthy=2, abnormal=0, sequences=("FLAIR",))
    pixels = np.asarray(Image.open(tmp_path / "healthy" / "0001.png"))
    assert np.array_equal(pixels, phantom_image(1, sequence="FLAIR").pixels)


@pytest.mark.parametrize(
    "options", [{"healthy": 0, "abnormal": 0}, {"seed": -1}, {"sequences": ()}, {"jobs": 0}, {"healthy": -3}]
)
def test_numbers_that_make_no_sense_are_refused(tmp_path, options):
    with pytest.raises(BadOption, match="expected"):
        write_phantom(tmp_path, **options)
    assert not files(tmp_path)


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "out").write_text("a file, no folder")
    with pytest.raises(OutputError, match="out"):
        write_phantom(tmp_path / "out", healthy=1, abnormal=0)


def test_without_nilearn_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(template, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match="demo"):
        write_phantom(tmp_path, healthy=1, abnormal=0)
    assert not files(tmp_path)
