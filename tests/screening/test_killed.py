"""A process that is killed at any moment costs nothing but what it was at, and leaves nothing for ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

MOMENTS, SEED = 10, 11
FIT_MOMENTS = 4

# Imports once; each job is then a process of its own, killed for good as it touches the folder the n-th time.
DRIVER = """
import json, os, sys, tempfile
import atypia.detectors, atypia.screener, atypia.screening, nibabel, pyarrow.parquet
from atypia.cli import main

pyarrow.array(["what this loads, it loads once"])
TOUCHES = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir")

def job(words, out, moment):
    touched = 0
    def touch(event, arguments):
        nonlocal touched
        if event in TOUCHES and str(arguments[0]).startswith(out):
            touched += 1
            if touched == moment:
                os.kill(os.getpid(), 9)
    sys.addaudithook(touch)
    if os.path.isdir(os.path.join(out, "tmp")):
        tempfile.tempdir = os.path.join(out, "tmp")
    try:
        main(words)
    except SystemExit as end:
        return end.code, touched

for line in sys.stdin:
    words, out, moment = json.loads(line)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        found = b"[1, 0]"
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            found = json.dumps(job(words, out, moment)).encode()
        finally:
            os.write(write, found)
            os._exit(0)
    os.close(write)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    told = os.read(read, 99).decode() or "[0, 0]"
    os.close(read)
    print(json.dumps([ended, *json.loads(told)]), flush=True)
"""


@pytest.fixture
def jobs():
    """Run `atypia WORDS` in a process of its own; return how it ended, its exit code and its touches."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", DRIVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def run(words, out, moment=0):
        process.stdin.write(json.dumps([[str(word) for word in words], str(out), moment]) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    with process:
        yield run
        process.stdin.close()


def content(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system starts no process from a copy of another")
def test_killed_at_ten_random_moments_it_ends_as_if_it_had_not_been(jobs, quick_file, mixed_folder, tmp_path):
    """What is killed goes on, and may be killed again, until it is done; then another begins."""

    def words(out):
        return ("score", quick_file, mixed_folder, "-o", out, "--shard", 4, "--judge-all", "--heatmaps")

    undisturbed = tmp_path / "undisturbed"
    ended, code, touches = jobs(words(undisturbed), undisturbed)
    assert (ended, code) == (0, 1), "one picture is broken"
    whole = content(undisturbed)
    assert len(whole) == 4 + 12 + 3 * 5
    rng, killed, done = np.random.default_rng(SEED), 0, 0
    while killed < MOMENTS or not done:
        out = tmp_path / str(done)
        ended, code, _ = jobs(words(out), out, int(rng.integers(1, touches)))
        assert (ended, code) in ((-9, 0), (0, 1))
        if ended:
            killed += 1
            continue
        done += 1
        assert content(out) == whole
    out = tmp_path / str(done)
    assert jobs(words(out), out)[:2] == [0, 1]
    assert content(out) == whole


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system starts no process from a copy of another")
def test_a_fit_that_is_killed_leaves_nothing_that_the_next_does_not_clear(jobs, small_heads, tmp_path):
    """Killed as it touches its result, its work or what it prepared: the next gives the same file, alone."""

    def fitted(root, moment=0):
        (root / "tmp").mkdir(parents=True, exist_ok=True)
        words = ("fit", small_heads, "-o", root / "brain.atypia", "--detector", "atlas", "--size", 32)
        return jobs((*words, "--no-fitness-check"), root, moment)

    ended, code, touches = fitted(tmp_path / "whole")
    assert (ended, code) == (0, 0)
    whole = content(tmp_path / "whole")
    assert list(whole) == ["brain.atypia"]
    left = []
    for moment in np.linspace(2, touches, FIT_MOMENTS).astype(int):
        assert fitted(tmp_path / "out", int(moment))[0] == -9
        left += content(tmp_path / "out")
    assert any("tmp" in name for name in left), "it prepared scans"
    for path in (*(tmp_path / "out").glob(".*.part"), *(tmp_path / "out" / "tmp").iterdir()):
        os.utime(path, (1, 1))  # an hour goes by
    assert fitted(tmp_path / "out")[:2] == [0, 0]
    assert content(tmp_path / "out") == whole
    assert list((tmp_path / "out" / "tmp").iterdir()) == []
