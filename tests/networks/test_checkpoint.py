from __future__ import annotations

import errno

import numpy as np
import pytest

from atypia.errors import OutputError
from atypia.networks.checkpoint import Checkpoint

HISTORY = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]


@pytest.fixture
def variables(stand_in):
    return [stand_in.Variable(np.arange(6).reshape(2, 3)), stand_in.Variable(np.ones(4))]


@pytest.fixture
def fresh(stand_in):
    return [stand_in.Variable(np.zeros((2, 3))), stand_in.Variable(np.zeros(4))]


@pytest.fixture
def saved(tmp_path, variables):
    checkpoint = Checkpoint(tmp_path / "work" / "checkpoint.npz", "this training")
    checkpoint.save(variables, HISTORY)
    return checkpoint


def untouched(variables) -> bool:
    return all((v.value == 0).all() and not v.given for v in variables)


def test_what_was_saved_is_restored(saved, variables, fresh):
    assert saved.restore(fresh, most=2) == HISTORY
    for found, expected in zip(fresh, variables, strict=True):
        assert np.array_equal(found.value, expected.value)
    assert [path.name for path in saved.path.parent.iterdir()] == ["checkpoint.npz"]


def test_without_a_file_nothing_is_restored_and_nothing_said(tmp_path, fresh, capsys):
    assert Checkpoint(tmp_path / "none.npz", "this training").restore(fresh, most=9) == []
    assert capsys.readouterr().err == ""


def test_one_of_another_training_is_not_used(saved, fresh, capsys):
    assert Checkpoint(saved.path, "another training").restore(fresh, most=9) == []
    assert untouched(fresh)
    assert "of another training (data, recipe or seed differ); starting anew" in capsys.readouterr().err


def test_one_that_went_further_is_not_used(saved, fresh, capsys):
    assert saved.restore(fresh, most=1) == []
    assert untouched(fresh)
    assert "after epoch 2, more than the 1 asked for; starting anew" in capsys.readouterr().err


def test_one_of_another_shape_is_not_used(saved, stand_in, capsys):
    others = [stand_in.Variable(np.zeros((2, 3))), stand_in.Variable(np.zeros(5))]
    assert saved.restore(others, most=9) == []
    assert untouched(others)
    assert "of a network of another shape" in capsys.readouterr().err


def test_one_that_lacks_a_variable_is_not_used(saved, fresh, stand_in, capsys):
    more = [*fresh, stand_in.Variable(np.zeros(1))]
    assert saved.restore(more, most=9) == []
    assert untouched(more)
    assert "damaged" in capsys.readouterr().err


def test_a_file_cut_short_anywhere_starts_anew(saved, fresh, capsys):
    whole = saved.path.read_bytes()
    for length in range(0, len(whole), 13):
        saved.path.write_bytes(whole[:length])
        assert saved.restore(fresh, most=9) == []
        told = capsys.readouterr().err
        assert told.startswith(f"{saved.path}: a checkpoint damaged (")
        assert told.endswith("; starting anew.\n")
    assert untouched(fresh)


def test_a_damaged_byte_anywhere_starts_anew_or_does_no_harm(saved, variables, fresh):
    whole = saved.path.read_bytes()
    for place in range(0, len(whole), 5):
        saved.path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        if saved.restore(fresh, most=9):
            assert all(np.array_equal(f.value, v.value) for f, v in zip(fresh, variables, strict=True))


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x93NUMPY", b"\x80\x05K\x01."])
def test_a_file_that_is_no_checkpoint_starts_anew(saved, fresh, capsys, content):
    saved.path.write_bytes(content)
    assert saved.restore(fresh, most=9) == []
    assert "starting anew" in capsys.readouterr().err
    assert untouched(fresh)


def test_a_disk_that_is_full_keeps_the_checkpoint_before(saved, variables, fresh, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(
        OutputError, match=r"checkpoint\.npz: could not be written \(No space left on device\)"
    ):
        saved.save(variables, [])
    assert [path.name for path in saved.path.parent.iterdir()] == ["checkpoint.npz"]
    assert saved.restore(fresh, most=9) == HISTORY
