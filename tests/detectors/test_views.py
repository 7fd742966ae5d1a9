from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from atypia.detectors.views import Views
from atypia.errors import OutputError
from atypia.networks.augmentation import augment


@pytest.fixture(scope="module")
def heads(heads_of):
    return heads_of(40)


@pytest.fixture(scope="module")
def views(heads, tmp_path_factory):
    return Views(heads, tmp_path_factory.mktemp("views"), copies=1, seed=2)


def test_view_0_is_the_set_as_it_is_in_any_order(views, heads):
    order = np.array([39, 0, 7])
    assert (views.count, views.size) == (40, 64)
    assert np.allclose(views.pixels(0, order), heads.pixels[order], atol=1e-3)
    assert views.pixels(0, order).dtype == np.float32


def test_the_other_views_are_altered_by_seed_view_and_place(views, heads):
    expected, _ = augment(heads.pixels[35:36], heads.foreground[35:36], [(2, 1, 35)])
    assert np.allclose(views.pixels(1, np.array([35])), expected, atol=1e-3)


def test_keys_name_the_content(views, heads, tmp_path):
    assert len({*views.keys[0], *views.keys[1]}) == 80
    again = Views(heads, tmp_path, copies=1, seed=3)
    assert again.keys[0] == views.keys[0]
    assert set(again.keys[1]).isdisjoint(views.keys[1])


def test_the_fingerprint_follows_scans_copies_seed_and_encoder(views, heads, heads_of, tmp_path):
    others = {
        views.fingerprint("a"),
        views.fingerprint("b"),
        Views(heads, tmp_path / "1", copies=0, seed=2).fingerprint("a"),
        Views(heads, tmp_path / "2", copies=1, seed=3).fingerprint("a"),
        Views(heads_of(40, seed=1), tmp_path / "3", copies=1, seed=2).fingerprint("a"),
    }
    assert len(others) == 5
    assert Views(heads, tmp_path / "4", copies=1, seed=2).fingerprint("a") == views.fingerprint("a")


def test_a_disk_that_is_full_is_told(heads, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OutputError, match="No space left on device"):
        Views(heads, tmp_path, copies=0, seed=0)
