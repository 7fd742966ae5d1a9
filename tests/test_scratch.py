from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from atypia.scratch import MARK, PREFIX, Scratch, sweep

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there locks are of another kind")
LEAVING = """
import os, sys, tempfile
tempfile.tempdir = sys.argv[1]
from atypia.scratch import Scratch
scratch = Scratch()
open(scratch.name + "/pixels", "w").write("a head")
print("there", flush=True)
sys.stdin.read() if sys.argv[2] == "lives" else os.kill(os.getpid(), 9)
"""


def leaving(folder: Path, how: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", LEAVING, str(folder), how]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    return process


def test_what_a_killed_process_left_goes_and_what_is_in_use_stays(tmp_path):
    with leaving(tmp_path, "dies") as dead:
        dead.wait()
    (left,) = tmp_path.iterdir()
    with leaving(tmp_path, "lives") as living:
        used = next(path for path in tmp_path.iterdir() if path != left)  # that process has swept the other
        sweep(tmp_path)
        assert list(tmp_path.iterdir()) == [used]
        assert (used / "pixels").read_text() == "a head"
        assert living.stdin is not None
        living.stdin.close()
    assert not list(tmp_path.iterdir()), "it goes with its process"


def test_it_goes_when_it_is_closed():
    with Scratch() as name:
        assert (Path(name) / MARK).exists()
    assert not Path(name).exists()


def test_what_is_not_ours_stays(tmp_path):
    named = tmp_path / f"{PREFIX}of-another-program"
    for path in (named, tmp_path / "tmp123"):
        path.mkdir()
        (path / "file").touch()
        os.utime(path, (9, 9))
    (tmp_path / f"{PREFIX}link").symlink_to(named)
    never = tmp_path / f"{PREFIX}never"
    never.mkdir()
    sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    os.utime(never, (9, 9))
    sweep(tmp_path)
    assert not never.exists()
    sweep(tmp_path / "none")
