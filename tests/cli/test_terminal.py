"""A bar on a terminal for what takes long, and nothing of the kind elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from atypia import progress

termios = pytest.importorskip("termios", reason="there are no pseudo terminals")

SLOWLY = """
import time
from atypia.progress import progress
for _ in progress(range({count}), total={count}, label="scoring"):
    time.sleep(0.25)
"""
AT_ONCE = """
import atypia.progress
drawn = atypia.progress.tqdm
atypia.progress.tqdm = lambda *words, **options: drawn(*words, **(options | {"delay": 0, "mininterval": 0}))
from atypia.cli import main
main()
"""


def on_terminal(*words: str) -> str:
    """Run Python with its stderr on a pseudo terminal and return what it wrote there."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (40, 100))
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        told = b""
        while chunk := _read(ours):
            told += chunk
    os.close(ours)
    assert process.returncode == 0, told
    return told.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end has closed it
        return b""


def test_work_of_over_two_seconds_gets_a_bar_that_vanishes():
    told = on_terminal("-c", SLOWLY.format(count=11))
    assert "\rscoring:" in told
    assert told.endswith("\r")


def test_short_work_gets_none():
    assert "scoring" not in on_terminal("-c", SLOWLY.format(count=2))


def test_score_draws_its_bar_on_a_terminal(nearest_file, phantom_table, tmp_path):
    assert "/48" in on_terminal("-c", AT_ONCE, *score_words(nearest_file, phantom_table, tmp_path))


def test_score_is_silent_elsewhere(atypia, nearest_file, phantom_table, tmp_path, monkeypatch):
    """Even with a bar that would be drawn at once."""
    drawn = progress.tqdm
    monkeypatch.setattr(progress, "tqdm", lambda *words, **options: drawn(*words, **(options | {"delay": 0})))
    outcome = atypia(*score_words(nearest_file, phantom_table, tmp_path))
    assert outcome.err == ""
    assert "\r" not in outcome.out


def score_words(model, table, folder):
    return ["score", str(model), str(table), "-o", str(folder / "out")]
