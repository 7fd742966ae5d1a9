from __future__ import annotations

import numpy as np
import pytest

from atypia.detectors import Atlas, Ensemble, FitContext, Gaussian, Nearest, PatchCore
from atypia.detectors.ensemble import _each
from atypia.encoders import Encoder

ENCODER = "efficientnet-lite0"


@pytest.fixture
def encoded(monkeypatch, tmp_path):
    """Counts the scans that any encoder is given, into an empty cache."""
    monkeypatch.setenv("ATYPIA_CACHE", str(tmp_path / "cache"))
    seen: list[int] = []
    usual = Encoder.__call__

    def counted(self, pixels):
        seen.append(len(pixels))
        return usual(self, pixels)

    monkeypatch.setattr(Encoder, "__call__", counted)
    return seen


def test_a_second_detector_on_the_same_encoder_encodes_nothing(encoded, healthy, tmp_path):
    PatchCore(ENCODER, components=8, bank=300, threads=1).fit(healthy, FitContext(tmp_path / "1"))
    assert sum(encoded) == len(healthy)
    encoded.clear()
    Gaussian(ENCODER, components=8, threads=1).fit(healthy, FitContext(tmp_path / "2"))
    assert encoded == []


def test_the_members_of_an_ensemble_encode_once_what_they_learn_from(encoded, healthy, tmp_path):
    """What is kept aside is scored by each member, as it will be in use: in full, not from the cache."""
    members = [
        PatchCore(ENCODER, components=8, bank=300, threads=1),
        Gaussian(ENCODER, components=8, threads=1),
    ]
    kept: list[int] = []
    calibrate = Ensemble._calibrate

    def noted(self, aside, seed):
        kept.append(len(aside))
        learned = sum(encoded)
        encoded.clear()
        calibrate(self, aside, seed)
        encoded.append(learned)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Ensemble, "_calibrate", noted)
        fitted = Ensemble([*members, Atlas(threads=1, retrieved=8)]).fit(healthy, FitContext(tmp_path))
    assert encoded[-1] == len(healthy) - kept[0]
    assert np.isfinite(fitted.score(healthy.batch(np.arange(2))).image).all()


@pytest.mark.usefixtures("encoded")
def test_members_that_read_other_grids_of_one_network_share_its_pass(healthy, tmp_path):
    """A saved ensemble does so as well: networks are known by their graphs."""
    members = [
        PatchCore(ENCODER, components=8, bank=300, threads=1),
        Nearest(ENCODER, components=8, bank=10, threads=1),
    ]
    fitted = Ensemble(members).fit(healthy, FitContext(tmp_path))
    loaded, batch = Ensemble.from_state(fitted.state(), 1), healthy.batch(np.arange(3))
    alone = [member.score(batch) for member in fitted.members]
    runs: list[int] = []
    usual = Encoder._run

    def counted(self, pixels):
        runs.append(len(pixels))
        return usual(self, pixels)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Encoder, "_run", counted)
        together = _each(loaded.members, batch)
    assert runs == [3]
    for found, expected in zip(together, alone, strict=True):
        assert np.allclose(found.image, expected.image, rtol=1e-5)
        assert np.allclose(found.map, expected.map, atol=1e-6)
