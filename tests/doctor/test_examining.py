from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from atypia.doctor import NOTE, OK, PROBLEM, examine, installation, machine, sample, weights
from atypia.doctor.heads import heads
from atypia.doctor.promise import promise
from atypia.errors import OutputError
from atypia.pretrained import pretrained_path
from atypia.threshold import Threshold


def states(checks) -> list[tuple[str, str]]:
    return [(check.name, check.state) for check in checks]


@pytest.fixture(scope="module")
def shipped_run() -> sample.Run:
    return sample.run(pretrained_path("synthetic"))


def test_this_installation_is_well():
    checks = list(examine())
    assert [check for check in checks if check.state == PROBLEM] == []
    assert {check.name for check in checks} >= {
        "Python",
        "libraries",
        "runtimes",
        "telemetry",
        "machine",
        "clock",
        "writing",
        "weights",
        "Screener",
        "scores",
        "stored scores",
        "parity",
        "promise",
        "speed",
    }


def test_another_screener_is_examined(quick_file):
    checks = {check.name: check for check in examine(quick_file)}
    assert checks["Screener"].told.startswith("quick.atypia: atlas")
    assert checks["promise"].state == OK
    assert "stored scores" not in checks


@pytest.mark.parametrize("content", [None, b"", b"PK\x05\x06" + bytes(18)])
def test_a_screener_that_cannot_be_used_is_a_problem_and_no_crash(tmp_path, content):
    file = tmp_path / "brain.atypia"
    if content is not None:
        file.write_bytes(content)
    found = list(examine(file))
    assert states(found)[-1] == ("Screener", PROBLEM)
    assert "brain.atypia" in found[-1].told


def test_a_look_that_fails_is_told_and_the_next_go_on(monkeypatch):
    def fail():
        raise RuntimeError("broken")

    monkeypatch.setattr(machine, "clock", fail)
    checks = list(examine())
    assert ("clock", PROBLEM) in states(checks)
    assert states(checks)[-1][0] == "speed"


def test_what_is_drawn_is_the_same_everywhere():
    """Whole numbers; the last digit of a sine may turn one or two of them."""
    assert [int(head.pixels.sum()) for head in heads()] == pytest.approx(
        [4365744, 4307182, 4330366, 4112316], abs=3
    )


def test_scores_that_differ_from_the_stored_ones_are_a_problem(shipped_run, monkeypatch):
    assert states(sample.as_stored(shipped_run, shipped=True)) == [("stored scores", OK)]
    monkeypatch.setitem(sample.STORED, "synthetic", tuple(shipped_run.scores + 0.01))
    assert states(sample.as_stored(shipped_run, shipped=True)) == [("stored scores", PROBLEM)]


def test_runtimes_that_disagree_are_a_problem(shipped_run, monkeypatch):
    pytest.importorskip("openvino")
    usual = sample.open_session

    class Off:
        def __init__(self, session):
            self.session = session

        def run(self, names, feed):
            return [1.1 * put for put in self.session.run(names, feed)]

    def one_off(graph, who):
        session = usual(graph, who)
        return Off(session) if b"atypia.runtime" in graph else session

    assert states(sample.parity(shipped_run)) == [("parity", OK)]
    monkeypatch.setattr(sample, "open_session", one_off)
    assert states(sample.parity(shipped_run)) == [("parity", PROBLEM)]


def test_one_runtime_alone_is_a_note(shipped_run, monkeypatch):
    monkeypatch.setattr(sample, "find_spec", lambda _: None)
    assert states(sample.parity(shipped_run)) == [("parity", NOTE)]


def test_a_slow_machine_is_a_note(shipped_run, monkeypatch):
    monkeypatch.setattr(sample, "SLOW", 0.0)
    assert states(sample.speed(shipped_run)) == [("speed", NOTE)]


@pytest.mark.parametrize(
    ("rule", "parameter"), [("mean+std", 2.0), ("quantile", 0.9), ("quantile", 0.5), ("conformal", 0.1)]
)
@pytest.mark.parametrize("grouped", [False, True])
def test_a_promise_is_computed_anew(rng, rule, parameter, grouped):
    scores = np.round(rng.gamma(2, size=120), 2)  # with ties
    groups = [f"p{place % 40}" for place in range(120)] if grouped else None
    taken = {"plane": ["axial" if place % 3 else "coronal" for place in range(120)]}
    threshold = Threshold.learn(scores, rule, parameter, groups=groups, taken=taken, strata=("plane",))
    checks = list(promise(threshold))
    assert [check.state for check in checks] == [OK] * 3


@pytest.mark.parametrize("rule", ["mean+std", "quantile", "conformal"])
def test_a_threshold_that_does_not_follow_is_a_problem(rng, rule):
    threshold = Threshold.learn(rng.normal(size=60), rule)
    threshold.__dict__["value"] = threshold.value - 0.1
    found = list(promise(threshold))
    assert states(found) == [("promise", PROBLEM)]
    assert "do not use" in found[0].told


def test_weights_that_were_changed_are_a_problem(monkeypatch):
    monkeypatch.setitem(weights.SHIPPED, "pretrained/none.atypia", "0" * 64)
    found = next(iter(weights.shipped()))
    assert (found.state, "pretrained/none.atypia" in found.told) == (PROBLEM, True)


def test_downloaded_weights_that_are_damaged_are_a_problem(tmp_path, monkeypatch):
    from atypia.encoders.weights import OFFICIAL

    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / OFFICIAL.file_name).write_bytes(b"damaged")
    monkeypatch.setenv("ATYPIA_CACHE", str(tmp_path))
    assert states(weights.shipped()) == [("weights", OK), ("weights", PROBLEM)]


def test_libraries_that_are_missing_or_too_old_are_a_problem(monkeypatch):
    needed = [
        "numpy>=99",
        "nothing-like-it>=1",
        "click>=8",
        'keras>=3; extra == "train"',
        'no-such; extra == "x"',
    ]
    monkeypatch.setattr(installation, "requires", lambda _: needed)
    found = next(iter(installation.libraries()))
    assert found.state == PROBLEM
    assert found.told.endswith('pip install "numpy>=99" "nothing-like-it>=1"')
    here, lacking = installation.extras()
    assert (here.state, here.told) == (OK, "train installed")
    assert (lacking.state, 'pip install "atypia[x]"' in lacking.told) == (NOTE, True)


def test_a_folder_that_cannot_be_written_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setenv("ATYPIA_CACHE", str(tmp_path / "cache"))
    (tmp_path / "file").write_text("")
    found = list(machine.writing(tmp_path / "file" / "out"))
    assert states(found) == [("writing", PROBLEM), ("writing", OK)]

    def full(*_):
        raise OutputError("no room")

    monkeypatch.setattr(machine, "write_whole", full)
    assert states(machine.writing(None)) == [("writing", PROBLEM)] * 2


def test_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("ATYPIA_CACHE", str(tmp_path / "cache"))
    assert states(machine.writing(tmp_path / "out")) == [("writing", OK)]
    assert not (tmp_path / "out").exists()
    assert list(tmp_path.rglob("*doctor*")) == []


def test_little_room_is_told(monkeypatch):
    monkeypatch.setattr(machine, "LITTLE_DISK", 2**80)
    assert ("machine", PROBLEM) in states(machine.resources())
    monkeypatch.setattr(machine, "LITTLE_DISK", 0)
    monkeypatch.setattr(machine, "LITTLE_MEMORY", 2**80)
    assert states(machine.resources())[0] == ("machine", NOTE)


def test_telemetry_that_is_on_is_told(monkeypatch):
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    assert states(machine.telemetry()) == [("telemetry", NOTE)]


def test_the_command_prints_lines_or_json(atypia, quick_file, tmp_path):
    found = atypia("doctor", quick_file, "--out", tmp_path / "out")
    assert found.code == 0
    assert all(line.startswith(("ok ", "note ")) for line in found.out.splitlines()[:-1])
    told = json.loads(atypia("doctor", quick_file, "--json").out)
    assert told["problems"] == 0
    assert {check["state"] for check in told["checks"]} <= {OK, NOTE}


def test_the_command_fails_where_there_is_a_problem(atypia, tmp_path):
    found = atypia("doctor", tmp_path / "none.atypia")
    assert found.code == 1
    assert "problem  Screener: " in found.out


def test_it_takes_less_than_a_minute():
    words = [sys.executable, "-m", "atypia", "doctor"]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "src")}
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, env=env)
    assert (done.returncode, done.stderr) == (0, "")
