from __future__ import annotations

import io
import sys

import pytest

from atypia.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by one second whenever it is asked."""
    seconds = iter(range(10**6))
    monkeypatch.setattr("tqdm.std.time", lambda: next(seconds))


def test_items_come_as_they_are_and_only_when_asked_for():
    asked = []
    items = progress((asked.append(n) or n for n in range(3)), total=3, label="reading")
    assert asked == []
    assert list(items) == [0, 1, 2]


@pytest.mark.usefixtures("clock")
def test_without_a_terminal_nothing_is_drawn(capsys):
    list(progress(range(50), total=50, label="reading"))
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("clock")
def test_on_a_terminal_long_work_is_drawn_and_wiped(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    list(progress(range(50), total=50, label="reading"))
    assert "reading" in terminal.getvalue()
    assert "/50" in terminal.getvalue()
    assert terminal.getvalue().rstrip(" ").endswith("\r")


def test_on_a_terminal_short_work_is_silent(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    list(progress(range(50), total=50, label="reading"))
    assert terminal.getvalue().strip() == ""
