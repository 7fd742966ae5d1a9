"""Two workers on one PostgreSQL, as of two servers: one is killed, and the other ends what it had, once."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from atypia.service.intake import accept
from atypia.service.store import queue, screeners
from atypia.service.store.database import Store
from atypia.service.store.models import File, Finding, Job
from atypia.service.work.order import clear_away
from atypia.service.work.worker import Worker

JOBS, LEASE = 60, 1.0
OTHER = """
import sys
from pathlib import Path
from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.service.store.database import Store
from atypia.service.work.worker import Worker
home = Home(Path(sys.argv[1]))
settings = Settings(home.path, database=sys.argv[2], threads=1, lease_seconds=float(sys.argv[3]))
Worker(settings, Store(sys.argv[2], home), home).drain()
"""


@pytest.fixture
def shared(postgres_url, home):
    made = Store(postgres_url, home)
    made.migrate()
    yield made
    made.close()


def test_every_job_ends_once_when_a_server_is_killed(
    shared, postgres_url, home, settings, screener_file, described, head_png
):
    settings = replace(settings, database=postgres_url, lease_seconds=LEASE)
    taken = accept(settings, home, [head_png()], "")
    sha256 = screeners.keep(home, screener_file)
    with shared.write() as session:
        screener = screeners.register(session, sha256, described, name="quick", size=1)
        for _ in range(JOBS):
            told = {"sha256": taken.sha256, "suffix": taken.suffix, "bytes": taken.size}
            file = File(index=0, kind=taken.kind, **told)
            queue.enqueue(session, Job(kind="upload", screener=screener.id, label="a", files=[file]))

    def jobs(*states: str) -> int:
        with shared.session() as session:
            return session.scalar(select(func.count()).where(Job.state.in_(states)))

    words = [sys.executable, "-c", OTHER, home.path, postgres_url, LEASE]
    other = subprocess.Popen([str(word) for word in words], stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not jobs("running", "done"):
            assert time.monotonic() < end
            assert other.poll() is None
            time.sleep(0.01)
        other.kill()
    finally:
        other.kill()
        other.wait(10)
    assert jobs("queued", "running") > 0, "it was killed before it had ended them"
    worker = Worker(settings, shared, home)
    while jobs("queued", "running"):
        worker.drain()
        time.sleep(0.05)
    with shared.session() as session:
        assert set(session.scalars(select(Job.state))) == {"done"}
        rows = session.execute(select(Finding.id, Finding.job)).all()
    assert len(rows) == JOBS
    assert set(Counter(job for _, job in rows).values()) == {1}
    clear_away(settings, shared, home, 0.0)
    assert {path.name for path in home.all_findings.iterdir()} == {identifier for identifier, _ in rows}
