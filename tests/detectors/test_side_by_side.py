from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from atypia.detectors import Ensemble, FitContext, Intensity, Scores, State, side_by_side
from atypia.detectors.network_detector import NetworkDetector
from atypia.detectors.side_by_side import FEWEST_STEPS, SideBySide, threads_of_each
from atypia.errors import TrainingDiverged


class Trained(NetworkDetector):
    """Learns the mean of all pixels, in which process, and in how many threads."""

    name = "lesion-simulation"
    settings = ("steps",)

    def __init__(self, threads=None, steps=FEWEST_STEPS, fault="", learned=()):
        self.threads, self.steps, self.fault, self.learned = threads, steps, fault, learned

    def _train(self, healthy, context):
        raise NotImplementedError

    def fit(self, healthy, context):
        here = os.getpid()
        (Path(context.work).parent / f"{context.work.name}.{here}").touch()
        away = context.line > 0
        if self.fault == "diverges":
            raise TrainingDiverged("The loss is no longer a number.")
        if self.fault == "is wrong":
            raise KeyError("nobody expected this")
        began = len(list(Path(context.work).parent.glob(f"{context.work.name}.*")))
        if away and (self.fault == "dies" or (self.fault == "dies once" and began == 1)):
            os.kill(here, signal.SIGKILL)  # as the system does where memory runs out
        mean = float(healthy.batch(np.arange(len(healthy))).pixels.mean())
        self.learned = (mean, context.line, os.environ.get("TF_NUM_INTRAOP_THREADS", ""), here)
        return self

    def state(self):
        return State({"learned": self.learned, "steps": self.steps})

    @classmethod
    def from_state(cls, state, threads=None):
        return cls(threads, **state.parameters)

    def score(self, batch):
        return Scores(batch.pixels.mean((1, 2)).astype(np.float64), batch.pixels)


@pytest.fixture(autouse=True)
def known_elsewhere(monkeypatch):
    """Other processes find the classes of this module."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])


@pytest.fixture
def room(monkeypatch):
    """A machine with four processors, much memory and no GPU."""
    monkeypatch.setattr(side_by_side, "usable", lambda: 4)
    monkeypatch.setattr(side_by_side, "memory", lambda: 64 << 30)
    monkeypatch.setattr(side_by_side, "_GPUS", ())


def contexts_of(folder, count):
    return [FitContext(folder / str(place), seed=place) for place in range(count)]


def fitted(members, healthy, folder):
    beside = SideBySide(members, healthy, contexts_of(folder, len(members)), 1)
    with beside.running():
        return beside.fitted()


def test_each_is_fitted_in_a_process_of_its_own_with_its_share_of_threads(heads_of, tmp_path):
    healthy = heads_of(12)
    before = dict(os.environ)
    found = fitted([Trained(), Trained(threads=3)], healthy, tmp_path)
    expected = float(healthy.batch(np.arange(12)).pixels.mean())
    assert [one.learned[:3] for one in found] == [(expected, 1, "1"), (expected, 2, "1")]
    assert len({os.getpid(), *(one.learned[3] for one in found)}) == 3
    assert [one.threads for one in found] == [None, 3]
    assert dict(os.environ) == before


def test_what_one_raises_is_raised_and_no_process_is_left(heads_of, tmp_path):
    with pytest.raises(TrainingDiverged, match="no longer a number"):
        fitted([Trained(), Trained(fault="diverges")], heads_of(12), tmp_path)
    with pytest.raises(RuntimeError, match="nobody expected this"):
        fitted([Trained(fault="is wrong")], heads_of(12), tmp_path)
    for file in tmp_path.glob("*.*"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.suffix[1:]), 0)


def test_what_a_process_died_of_is_done_by_another_with_as_many_threads(heads_of, tmp_path, capsys):
    found, other = fitted([Trained(fault="dies once"), Trained()], heads_of(12), tmp_path)
    assert found.learned[:3] == (other.learned[0], 1, "1")
    assert found.learned[3] not in (os.getpid(), other.learned[3])
    assert len(list(tmp_path.glob("0.*"))) == 2
    assert capsys.readouterr().err == ""


def test_what_every_process_dies_of_is_done_here_and_told(heads_of, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(side_by_side, "_AGAIN", 1)
    (found,) = fitted([Trained(fault="dies")], heads_of(12), tmp_path)
    assert found.learned[1:] == (0, os.environ.get("TF_NUM_INTRAOP_THREADS", ""), os.getpid())
    assert "lesion-simulation: the processes that fitted it died" in capsys.readouterr().err


@pytest.mark.usefixtures("room")
def test_they_are_fitted_at_once_where_that_pays(monkeypatch):
    two = [Trained(), Intensity(), Trained()]
    assert threads_of_each(two) == 2
    assert threads_of_each([Trained(threads=2), Trained()]) == 1
    assert threads_of_each([Trained(threads=1), Trained()]) == 0
    assert threads_of_each(two[:2]) == 0
    assert threads_of_each([Trained(), Trained(steps=FEWEST_STEPS - 1)]) == 0
    monkeypatch.setattr(side_by_side, "memory", lambda: 3 << 30)
    assert threads_of_each(two) == 0
    monkeypatch.setattr(side_by_side, "memory", lambda: 64 << 30)
    monkeypatch.setattr(side_by_side, "_GPUS", (os.devnull,))
    assert threads_of_each(two) == 0


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("processes", [True, False])
def test_an_ensemble_learns_the_same_either_way(processes, heads_of, tmp_path):
    members = [Trained(), Intensity(), Trained()]
    ensemble = Ensemble(members).fit(heads_of(24), FitContext(tmp_path, processes=processes))
    first, _, last = ensemble.members
    assert first.learned[0] == last.learned[0] > 0
    assert (first.learned[3] != os.getpid()) == processes
    assert [one.name for one in ensemble.members] == [one.name for one in members]
