"""Kills worker and server at random moments under load: every accepted job must end exactly once.

    python benchmarks/service_kills.py SCANS [--kills 10] [--seed 0] [--screener FILE]

Odd kills are of the worker, even ones of the server, which is started again. While it runs jobs are sent;
what was answered with 202 counts as accepted.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
from service_load import SUFFIXES
from serving import Server


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("scans", type=Path)
    words.add_argument("--screener", type=Path)
    words.add_argument("--kills", type=int, default=10)
    words.add_argument("--seed", type=int, default=0)
    given = words.parse_args()
    files = sorted(p for p in given.scans.rglob("*") if p.suffix.lower() in SUFFIXES)
    chance, accepted = random.Random(given.seed), set[str]()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        told = [given.screener] if given.screener else []
        server, killed = Server(data, *told, "--threads", 1), Counter[str]()
        for number in range(given.kills):
            over = threading.Event()
            sender = threading.Thread(target=send, args=(server, files, accepted, over, number))
            sender.start()
            wait_for_work(server)
            time.sleep(chance.uniform(0.0, 2.0))
            workers = server.workers()
            if number % 2 and workers:
                os.kill(chance.choice(workers), signal.SIGKILL)
                killed["worker"] += 1
                time.sleep(0.5)
                over.set()
                sender.join()
            else:
                over.set()
                server.kill()
                sender.join()
                killed["server"] += 1
                server = Server(data, *told, "--threads", 1)
        seen = server.until_ended(accepted)
        states = Counter(job["state"] for id_, job in server.jobs().items() if id_ in accepted)
        server.end()
        database = sqlite3.connect(data / "atypia.sqlite")
        per_job = Counter(row[0] for row in database.execute("SELECT job FROM findings"))
        folders = {path.name for path in (data / "findings").iterdir()}
        rows = {row[0] for row in database.execute("SELECT id FROM findings")}
    twice = sum(count != 1 for job, count in per_job.items() if job in accepted)
    print(f"killed: {dict(killed)}")
    print(f"accepted: {len(accepted)}; ended: {len(seen)}; by state: {dict(states)}")
    print(f"with other than one finding: {twice + len(accepted - per_job.keys())}")
    print(f"findings without files: {len(rows - folders)}; files without a finding: {len(folders - rows)}")


def send(server: Server, files: list[Path], accepted: set[str], over: threading.Event, number: int) -> None:
    for place in range(40):
        if over.is_set():
            return
        try:
            accepted.add(server.send(files[(number * 7 + place) % len(files)]))
        except (httpx.HTTPError, RuntimeError, KeyError):
            return  # the server is gone: what it did not answer is not accepted


def wait_for_work(server: Server) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if any(job["state"] == "running" for job in server.jobs().values()):
            return
        time.sleep(0.05)


if __name__ == "__main__":
    main()
