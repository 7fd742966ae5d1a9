"""An hour of steady load upon the service: memory, open files, threads, database and times must stay flat.

    python benchmarks/soak.py SCANS [--minutes 60] [--every 2] [--keep 200] [--screener FILE] [-o soak.csv]

SCANS is a folder of pictures. Every `every` seconds one is sent; when it is judged, the worklist is
asked for, the finding and its map are opened, and beyond `keep` jobs the oldest is deleted with all that
derives from it. A page that is told of events stays open, and is opened anew every minute. A line a minute
is written to the table. At the end each figure's median over the last sixth of the time is set against that
over the second sixth; the first one warms up.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import sqlite3
import statistics
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import httpx
from service_load import SUFFIXES
from serving import HEADERS, Server

from atypia.progress import progress

T = TypeVar("T")
FIGURES = ("server_mib", "workers_mib", "files", "threads", "database_mib", "folder_mib")
TIMES = ("upload_s", "judged_s", "worklist_s", "finding_s", "map_s", "delete_s")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("scans", type=Path)
    words.add_argument("--minutes", type=int, default=60)
    words.add_argument("--every", type=float, default=2.0)
    words.add_argument("--keep", type=int, default=200)
    words.add_argument("--screener", type=Path)
    words.add_argument("-o", "--out", type=Path, default=Path("soak.csv"))
    given = words.parse_args()
    files = sorted(p for p in given.scans.rglob("*") if p.suffix.lower() in SUFFIXES)
    with tempfile.TemporaryDirectory() as folder, given.out.open("w", newline="") as out:
        told = [given.screener] if given.screener else []
        server = Server(Path(folder) / "data", *told, "--threads", 1)
        table = csv.DictWriter(out, ("minute", *FIGURES, *TIMES))
        table.writeheader()
        load, rows = Load(server, itertools.cycle(files), given.keep), []
        begun, sixth = time.monotonic(), max(1, given.minutes // 6)
        counted: list[dict[str, int]] = []
        try:
            minutes = range(1, given.minutes + 1)
            for minute in progress(minutes, total=given.minutes, label="soaking", unit="min"):
                listener = Listener(server.url)
                while time.monotonic() < begun + 60 * minute:
                    at = time.monotonic()
                    load.one()
                    time.sleep(max(0.0, at + given.every - time.monotonic()))
                listener.close()
                row = {"minute": minute, **sizes(server, Path(folder) / "data"), **load.times()}
                rows.append(row)
                table.writerow({name: round(value, 4) for name, value in row.items()})
                out.flush()
                if minute in (2 * sixth, given.minutes):
                    counted.append(rows_of(Path(folder) / "data" / "atypia.sqlite"))
        finally:
            ended = server.end()
    print(f"jobs: {dict(Counter(load.states))}; requests that failed: {load.errors}; end: {ended:.1f} s")
    for name in (*FIGURES, *TIMES):
        early = statistics.median(float(row[name]) for row in rows[sixth : 2 * sixth] or rows)
        late = statistics.median(float(row[name]) for row in rows[-sixth:])
        print(f"{name}: {early:.4g} early, {late:.4g} late, ratio {late / early:.3f}")
    for name, late_rows in counted[-1].items():
        if late_rows != counted[0].get(name, 0):
            print(f"rows of {name}: {counted[0].get(name, 0)} early, {late_rows} late")


class Load:
    """One upload after the other, each followed to its end and looked at."""

    def __init__(self, server: Server, files: itertools.cycle[Path], keep: int) -> None:
        self.server, self.files, self.keep = server, files, keep
        self.jobs: deque[str] = deque()
        self.states: list[str] = []
        self.errors = 0
        self._took: dict[str, list[float]] = {name: [] for name in TIMES}

    def one(self) -> None:
        """Send a picture, wait until it is judged, look at it, and delete the oldest."""
        try:
            job = self._timed("upload_s", lambda: self.server.send(next(self.files)))
            self.jobs.append(job)
            self.states.append(self._timed("judged_s", lambda: self._ended(job)))
            self._timed("worklist_s", lambda: self._get("/api/v1/findings?sort=p_value&limit=50"))
            (found,) = self._get(f"/api/v1/findings?job={job}").json()["items"]
            self._timed("finding_s", lambda: self._get(f"/api/v1/findings/{found['id']}"))
            self._timed("map_s", lambda: self._get(f"/api/v1/findings/{found['id']}/files/overlay.png"))
            if len(self.jobs) > self.keep:
                oldest = self.jobs.popleft()
                self._timed(
                    "delete_s", lambda: self.server.client.delete(f"/api/v1/jobs/{oldest}").raise_for_status()
                )
        except httpx.HTTPError as error:
            self.errors += 1
            print(f"not as asked: {error!r}")

    def times(self) -> dict[str, float]:
        """Return the medians since the last call, in seconds; nan where there was none."""
        told = {name: statistics.median(took) if took else float("nan") for name, took in self._took.items()}
        for took in self._took.values():
            took.clear()
        return told

    def _ended(self, job: str) -> str:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            state = str(self._get(f"/api/v1/jobs/{job}").json()["state"])
            if state in ("done", "failed", "cancelled"):
                return state
            time.sleep(0.02)
        return "late"

    def _get(self, path: str) -> httpx.Response:
        return self.server.client.get(path).raise_for_status()

    def _timed(self, name: str, call: Callable[[], T]) -> T:
        at = time.perf_counter()
        answer = call()
        self._took[name].append(time.perf_counter() - at)
        return answer


class Listener:
    """A page that is told of events until it is closed."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, headers=HEADERS, timeout=120)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with self._client.stream("GET", "/api/v1/events") as events:
            for _ in events.iter_lines():
                if self._over.is_set():
                    return

    def close(self) -> None:
        """Let the next event end it."""
        self._over.set()


def sizes(server: Server, data: Path) -> dict[str, float]:
    """Return what server and workers hold now: MiB of memory, open files, threads, and MiB on disk."""
    server_pid, workers = server.process.pid, server.workers()
    database = sum(path.stat().st_size for path in data.glob("atypia.sqlite*"))
    folder = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    return {
        "server_mib": own_mib(server_pid),
        "workers_mib": sum(map(own_mib, workers)),
        "files": sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in (server_pid, *workers)),
        "threads": sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in (server_pid, *workers)),
        "database_mib": database / 2**20,
        "folder_mib": (folder - database) / 2**20,
    }


def rows_of(database: Path) -> dict[str, int]:
    """Return how many rows each table has."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        names = [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: opened.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


def own_mib(pid: int) -> float:
    """Return the memory of a process, shared pages by their share, in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    main()
