"""Faults of the machine at a fit and at scoring: what is told, what stays, and that the next run goes on.

docs/explanation/faults.md tells which test holds which fault where.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from contextlib import contextmanager
from itertools import count

import numpy as np
import pytest

from atypia import loading
from atypia.screener import Screener, healthy_scans

ROOM = 30 * 4096
"""So many bytes take two or three shards of five."""


def content(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@contextmanager
def filled(folder, left=0):
    """Let a small disk have so many bytes left."""
    filler = folder / "filler"
    free = os.statvfs(folder)
    filler.write_bytes(bytes(free.f_bavail * free.f_frsize - left))
    try:
        yield
    finally:
        filler.unlink()


@pytest.fixture
def fit(atypia, small_heads):
    """Fit a Screener that takes no time into a folder: `fit(out)`."""

    def run(out, *more):
        words = ("--detector", "atlas", "--size", 32, "--no-fitness-check", *more)
        return atypia("fit", small_heads, "-o", out / "brain.atypia", *words)

    return run


@pytest.fixture
def score(atypia, small_heads, quick_file):
    """Judge pictures into a folder, five a shard: `score(out)`."""

    def run(out, *more):
        return atypia("score", quick_file, small_heads, "-o", out, "--shard", 5, "--heatmaps", *more)

    return run


def test_a_fit_to_a_full_disk_keeps_the_older_file_and_succeeds_when_there_is_room(disk, fit):
    out = disk("1m")
    assert fit(out).code == 0
    before = content(out)
    with filled(out):
        done = fit(out, "--seed", 1)
        assert (done.code, "No space left on device" in done.err) == (6, True)
        assert f"atypia: {out / 'brain.atypia'}" in done.err
        assert "Make room there or choose another place" in done.err
        assert {name: data for name, data in content(out).items() if name != "filler"} == before
    assert fit(out, "--seed", 1).code == 0
    assert list(content(out)) == list(before)
    assert content(out) != before


def test_a_fit_whose_temporary_folder_is_full_says_which(disk, fit, tmp_path, monkeypatch):
    place = disk("1m")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with filled(place, left=8192):
        done = fit(tmp_path / "out")
        assert done.code == 6
        assert f"atypia: {place}: could not be written (No space left on device)" in done.err
        assert [path.name for path in place.iterdir()] == ["filler"]
        assert not content(tmp_path / "out")
    assert fit(tmp_path / "out").code == 0


def test_scoring_to_a_full_disk_keeps_what_is_done_and_goes_on_when_there_is_room(disk, score, tmp_path):
    assert score(tmp_path / "whole").code == 0
    out = disk("2m")
    with filled(out, left=ROOM):
        done = score(out)
        assert done.code == 6
        assert "No space left on device" in done.err
        assert " of 25 scans are done and kept: the same command goes on from there." in done.err
        assert not (out / "findings.csv").exists()
    done = score(out)
    assert (done.code, "went on where it was interrupted" in done.err) == (0, True)
    assert content(out) == content(tmp_path / "whole")


def test_a_disk_that_is_read_only_is_told_before_the_work(disk, fit, score, atypia, quick_file, monkeypatch):
    out = disk("1m", "ro")
    monkeypatch.setattr(loading, "read_row", lambda *_: pytest.fail("it works in vain"))
    serving = atypia("serve", quick_file, "--data", out / "data", "--port", 0)
    for done in (fit(out), score(out), score(out / "new"), serving):
        assert (done.code, done.out) == (6, "")
        assert done.err.startswith(f"atypia: {out}")
        assert "Read-only file system" in done.err
        assert "choose another place" in done.err


@pytest.mark.parametrize(
    ("place", "name"), [("fit", "SIGTERM"), ("score", "SIGINT"), ("score", "SIGTERM"), ("score", "SIGHUP")]
)
def test_a_signal_ends_it_with_its_code_and_nothing_is_left(
    place, name, fit, score, tmp_path, monkeypatch, request
):
    """It comes as the third scan is read. What was there before stays, and the same command then succeeds."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, name):
        pytest.skip("signals come to the first thread alone")
    run = {"fit": fit, "score": score}[place]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    out, number, read, counter = tmp_path / "out", getattr(signal, name), loading.read_row, count(1)
    before = signal.getsignal(number)
    if name == "SIGINT":
        request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def reading(row):
        if next(counter) == 3:  # once, whichever thread it is in: a second one would come after the end
            os.kill(os.getpid(), number)
            time.sleep(0.05)
        return read(row)

    with monkeypatch.context() as patch:
        patch.setattr(loading, "read_row", reading)
        done = run(out)
    told = "interrupted." if name == "SIGINT" else f"ended by {name}."
    assert (done.code, done.err.splitlines()[-1]) == (128 + number, f"atypia: {told}")
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]
    assert name == "SIGINT" or signal.getsignal(number) is before
    assert run(out).code == 0


@pytest.mark.parametrize("place", ["fit", "score"])
def test_want_of_memory_is_told_with_what_to_do(place, fit, score, tmp_path, monkeypatch):
    """A fit begins anew; of scoring what is done is kept."""
    run, calls = {"fit": fit, "score": score}[place], []
    owner, name = (healthy_scans, "prepare_to_folder") if place == "fit" else (Screener, "score")
    work = getattr(owner, name)

    def without(*given, **named):
        calls.append(given)
        if len(calls) == (1 if place == "fit" else 3):
            raise MemoryError
        return work(*given, **named)

    monkeypatch.setattr(owner, name, without)
    done = run(tmp_path / "out")
    assert done.code == 4
    assert "atypia: expected memory for this, received none. Give fewer --threads" in done.err
    assert ("10 of 25 scans are done and kept" in done.err) == (place == "score")
    assert not [name for name in content(tmp_path / "out") if not name.startswith(".unfinished")]
    monkeypatch.setattr(owner, name, work)
    assert run(tmp_path / "out").code == 0


def test_a_clock_that_jumps_changes_no_result(fit, score, tmp_path, monkeypatch):
    assert (fit(tmp_path / "a").code, score(tmp_path / "a").code) == (0, 0)
    rng, real = np.random.default_rng(1), time.time
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: real() + rng.uniform(-1, 1) * 3e8)
        patch.setattr(time, "time_ns", lambda: int(time.time() * 1e9))
        assert (fit(tmp_path / "b").code, score(tmp_path / "b").code) == (0, 0)
    assert content(tmp_path / "b") == content(tmp_path / "a")


def test_scoring_needs_no_cache(score, tmp_path, monkeypatch):
    """Neither weights nor features: it may be gone, or not to be written to."""
    (tmp_path / "file").write_text("no folder")
    for place in ("gone", "file"):
        monkeypatch.setenv("ATYPIA_CACHE", str(tmp_path / place))
        assert score(tmp_path / f"out-{place}").code == 0
    assert not (tmp_path / "gone").exists()


def test_a_fit_tells_of_a_cache_that_cannot_be_written_and_goes_on_with_another(
    atypia, small_heads, tmp_path, monkeypatch
):
    words = ("fit", small_heads, "-o", tmp_path / "brain.atypia", "--detector", "nearest", "--size", 32)
    words = (*words, "--encoder", "efficientnet-lite0", "--no-fitness-check")
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("ATYPIA_CACHE", str(tmp_path / "file"))
    done = atypia(*words)
    assert done.code == 6
    assert "The environment variable ATYPIA_CACHE names another folder" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    monkeypatch.setenv("ATYPIA_CACHE", str(tmp_path / "cache"))
    assert atypia(*words).code == 0
    first = (tmp_path / "brain.atypia").read_bytes()
    for damaged in list((tmp_path / "cache").rglob("*.npy"))[::3]:
        damaged.write_bytes(damaged.read_bytes()[:-40] + bytes(40))
    assert atypia(*words).code == 0
    assert (tmp_path / "brain.atypia").read_bytes() == first, "damaged entries are made anew"
