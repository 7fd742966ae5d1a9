from __future__ import annotations

import pytest

from atypia.comparison import running
from atypia.reading.collection import read_collection


@pytest.fixture(scope="session")
def table(phantom_table):
    return read_collection(phantom_table)


@pytest.fixture
def here(monkeypatch):
    """Run tasks in this process, and tell which ran."""
    ran = []

    def run(task):
        ran.append(task.contestant.name)
        running._run(task)
        return 0

    monkeypatch.setattr(running, "_in_own_process", run)
    return ran
