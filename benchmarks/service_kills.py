"""Kills workers and servers at random moments under load: every accepted job must end exactly once.

    python benchmarks/service_kills.py SCANS [--kills 10] [--seed 0] [--screener FILE]
    python benchmarks/service_kills.py SCANS --servers 2 --database postgresql+psycopg://USER@HOST/EMPTY

Odd kills are of a worker, even ones of a server, which is started again. While it runs jobs are sent to all
servers; what was answered with 202 counts as accepted. Several servers share one data folder, and one
PostgreSQL, which is to be empty; what a killed one held is free for the others when its leases of 5 s end.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
from service_load import SUFFIXES
from serving import Server
from sqlalchemy import create_engine, text

LEASE_SECONDS = "5"


class Killing:
    """Servers on one data folder and one database, under load, and what became of them."""

    def __init__(self, data: Path, words: list[object], files: list[Path], servers: int, seed: int) -> None:
        self._data, self._words, self._files = data, [*words, "--threads", 1], files
        self._chance = random.Random(seed)
        self.servers = [Server(data, *self._words) for _ in range(servers)]
        self.accepted, self.killed = set[str](), Counter[str]()

    def kill(self, number: int) -> None:
        """Have jobs sent to all servers, and kill a worker or a server meanwhile."""
        over = threading.Event()
        senders = [
            threading.Thread(target=self._send, args=(server, over, number + place))
            for place, server in enumerate(self.servers)
        ]
        for sender in senders:
            sender.start()
        self._wait_for_work()
        time.sleep(self._chance.uniform(0.0, 2.0))
        place = self._chance.randrange(len(self.servers))
        workers = self.servers[place].workers()
        if number % 2 and workers:
            os.kill(self._chance.choice(workers), signal.SIGKILL)
            self.killed["worker"] += 1
            time.sleep(0.5)
            over.set()
        else:
            over.set()
            self.servers[place].kill()
            self.killed["server"] += 1
        for sender in senders:
            sender.join()
        if self.servers[place].process.poll() is not None:
            self.servers[place] = Server(self._data, *self._words)

    def _send(self, server: Server, over: threading.Event, number: int) -> None:
        for place in range(40):
            if over.is_set():
                return
            try:
                self.accepted.add(server.send(self._files[(number * 7 + place) % len(self._files)]))
            except (httpx.HTTPError, RuntimeError, KeyError):
                return  # the server is gone: what it did not answer is not accepted

    def _wait_for_work(self) -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if any(job["state"] == "running" for job in self.servers[0].jobs().values()):
                return
            time.sleep(0.05)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("scans", type=Path)
    words.add_argument("--screener", type=Path)
    words.add_argument("--kills", type=int, default=10)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--servers", type=int, default=1)
    words.add_argument("--database")
    given = words.parse_args()
    if given.servers > 1 and given.database is None:
        words.error("several servers share a PostgreSQL: give --database")
    os.environ["ATYPIA_SERVE_LEASE_SECONDS"] = LEASE_SECONDS
    files = sorted(p for p in given.scans.rglob("*") if p.suffix.lower() in SUFFIXES)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        told = [given.screener] if given.screener else []
        told += ["--database", given.database] if given.database else []
        killing = Killing(data, told, files, given.servers, given.seed)
        for number in range(given.kills):
            killing.kill(number)
        seen = killing.servers[0].until_ended(killing.accepted)
        jobs = killing.servers[0].jobs()
        for server in killing.servers:
            server.end()
        tell(killing, seen, jobs, given.database or f"sqlite:///{data}/atypia.sqlite", data)


def tell(killing: Killing, seen: dict[str, float], jobs: dict, database: str, data: Path) -> None:
    accepted = killing.accepted
    with create_engine(database).connect() as connection:
        rows = connection.execute(text("SELECT id, job FROM findings")).all()
    per_job, found = Counter(job for _, job in rows), {identifier for identifier, _ in rows}
    folders = {path.name for path in (data / "findings").iterdir()}
    twice = sum(count != 1 for job, count in per_job.items() if job in accepted)
    states = Counter(job["state"] for identifier, job in jobs.items() if identifier in accepted)
    print(f"servers: {len(killing.servers)}; killed: {dict(killing.killed)}")
    print(f"accepted: {len(accepted)}; ended: {len(seen)}; by state: {dict(states)}")
    print(f"with other than one finding: {twice + len(accepted - per_job.keys())}")
    print(f"findings without files: {len(found - folders)}; files without a finding: {len(folders - found)}")


if __name__ == "__main__":
    main()
