from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

CHILD = """
import threading, time
from atypia.comparison import running

def work():
    threading.Thread(target=running._end_with_the_parent, daemon=True).start()
    print("working", flush=True)
    time.sleep(120)
"""
PARENT = """
import multiprocessing
from child import work
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    print(process.pid, flush=True)
    process.join()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="process numbers are looked up as POSIX does")
def test_a_contestant_ends_with_the_command_that_was_killed(tmp_path):
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "parent.py").write_text(PARENT)
    with subprocess.Popen(
        [sys.executable, "parent.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert parent.stdout.readline() == "working\n"
        parent.kill()
        parent.wait()
        assert gone(child)


def gone(pid: int, seconds: float = 20) -> bool:
    """Wait until there is no such process."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if zombie(pid):  # nobody reaps orphans in some containers
            return True
        time.sleep(0.1)
    return False


def zombie(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "Z"
