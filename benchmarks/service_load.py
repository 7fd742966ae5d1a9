"""Fifty uploads at once: errors, times until judged, and throughput against `atypia score` on the same files.

    python benchmarks/service_load.py SCANS [--screener FILE] [--clients 50] [--pictures 200] [--threads 2]

SCANS is a folder of pictures, of which the first `pictures` are sent, by so many clients at once, each one
after another. Unloaded: one upload after another. Throughput counts from the first upload to the last job's
end; `atypia score`, with pictures of the maps and without, is measured on the same files in the same run, and
once more on one of them, which is taken off as its start. All of it is repeated, and medians are told.
Beside the times stand seconds of processors for each picture, which other work on the machine hardly moves:
those of the server, its worker and the client, and of `atypia score`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import local
from urllib.parse import urlsplit

from serving import HEADERS, Server

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".bmp", ".webp")
TICK = os.sysconf("SC_CLK_TCK")
BOUNDARY = "atypia-load"
Numbers = dict[str, float]


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("scans", type=Path)
    words.add_argument("--screener", type=Path)
    words.add_argument("--clients", type=int, default=50)
    words.add_argument("--pictures", type=int, default=200)
    words.add_argument("--threads", type=int, default=2)
    words.add_argument("--repeats", type=int, default=3)
    given = words.parse_args()
    files = sorted(p for p in given.scans.rglob("*") if p.suffix.lower() in SUFFIXES)[: given.pictures]
    every: list[Numbers] = []
    for _ in range(given.repeats):
        with tempfile.TemporaryDirectory() as folder:
            measured = served(files, given, Path(folder))
            for name, more in (("score --heatmaps", ["--heatmaps"]), ("score", [])):
                measured |= scored(name, files, given, Path(folder), more)
            for name in ("score --heatmaps", "score"):
                measured[f"a second, of {name}"] = measured["a second"] / measured[f"{name}: a second"]
                own = measured["server: ms of processors"] + measured["worker: ms of processors"]
                measured[f"processors, {name} to server and worker"] = (
                    measured[f"{name}: ms of processors"] / own
                )
        every.append(measured)
        print(" ".join(f"{name}: {value:.4g};" for name, value in measured.items()), flush=True)
    print(f"medians of {given.repeats}, {len(files)} pictures by {given.clients} clients:")
    for name in every[0]:
        print(f"{name}: {statistics.median(one[name] for one in every):.3g}")


def served(files: list[Path], given: argparse.Namespace, folder: Path) -> Numbers:
    """Return the figures of a server of its own."""
    told = [given.screener] if given.screener else []
    server = Server(folder / "data", *told, "--threads", given.threads, "--workers", 1)
    server.until_ended({server.send(files[0])})  # the worker is there, and has its Screener
    made_ready(server, given)
    unloaded = statistics.median(one(server, file) for file in files[:10])
    sender = Sender(server.url, {file: form_of(file) for file in files})
    before, begun = spent(server), time.time()
    with ThreadPoolExecutor(given.clients) as pool:
        sent = dict(pool.map(sender.send, files))
    wait(server)
    after = spent(server)
    states = server.jobs()
    server.end()
    done = [job for job in sent if states[job]["state"] == "done"]
    ends = {job: datetime.fromisoformat(states[job]["ended"]).timestamp() for job in sent}
    took = sorted(ends[job] - at for job, at in sent.items())
    p95 = took[round(0.95 * (len(took) - 1))]
    return {
        "not done": len(files) - len(done),
        "unloaded, s": unloaded,
        "at once, median, s": statistics.median(took),
        "at once, p95, s": p95,
        "p95 to the unloaded of so many clients": p95 / (unloaded * given.clients),
        "a second": len(files) / (max(ends.values()) - begun),
        **{f"{who}: ms of processors": 1000 * (after[who] - before[who]) / len(files) for who in after},
    }


def made_ready(server: Server, given: argparse.Namespace, seconds: float = 60.0) -> None:
    """Wait until the healthy phantoms are made that the Screener that comes along is shown beside, once."""
    end = time.monotonic() + seconds
    while given.screener is None and time.monotonic() < end:
        items = server.client.get("/api/v1/screeners").raise_for_status().json()
        if all(item["has_alike"] for item in items):
            return
        time.sleep(0.5)


class Sender:
    """Sends forms, each thread over a connection of its own; as light as a client in Python is."""

    def __init__(self, url: str, forms: dict[Path, bytes]) -> None:
        self._at, self._forms, self._mine = urlsplit(url), forms, local()

    def send(self, file: Path) -> tuple[str, float]:
        """Return the job of an upload, and when it was sent."""
        if not hasattr(self._mine, "line"):
            self._mine.line = http.client.HTTPConnection(str(self._at.hostname), self._at.port, timeout=120)
        line, at = self._mine.line, time.time()
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        line.request("POST", "/api/v1/jobs", self._forms[file], {**HEADERS, "Content-Type": kind})
        answer = line.getresponse()
        content = answer.read()
        if answer.status != 202:
            raise SystemExit(f"{file.name}: {answer.status} {content[:200]!r}")
        return str(json.loads(content)["id"]), at


def form_of(file: Path) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{file.name}"\r\n\r\n'
    return head.encode() + file.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()


def wait(server: Server, seconds: float = 300.0) -> None:
    """Wait until no job waits or is being judged."""
    end = time.monotonic() + seconds
    for state in ("queued", "running", "queued"):
        asked = {"state": state, "limit": 1}
        while server.client.get("/api/v1/jobs", params=asked).raise_for_status().json()["items"]:
            if time.monotonic() > end:
                raise SystemExit("the jobs did not end")
            time.sleep(0.5)  # to ask takes time of the server's; when jobs ended their rows tell


def spent(server: Server) -> Numbers:
    """Return the seconds of processors that server, workers and this process have used."""
    return {
        "server": of_process(server.process.pid),
        "worker": sum(map(of_process, server.workers())),
        "client": time.process_time(),
    }


def of_process(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICK


def one(server: Server, file: Path) -> float:
    begun = time.perf_counter()
    job = server.send(file)
    while server.client.get(f"/api/v1/jobs/{job}").json()["state"] != "done":
        time.sleep(0.01)
    return time.perf_counter() - begun


def scored(name: str, files: list[Path], given: argparse.Namespace, folder: Path, more: list[str]) -> Numbers:
    """Return the figures of `atypia score`, without its start."""
    whole, start = (run(some, given, folder, more) for some in (files, files[:1]))
    seconds, processors = (long - short for long, short in zip(whole, start, strict=True))
    count = len(files) - 1
    return {f"{name}: a second": count / seconds, f"{name}: ms of processors": 1000 * processors / count}


def run(files: list[Path], given: argparse.Namespace, folder: Path, more: list[str]) -> tuple[float, float]:
    out = folder / f"out-{len(files)}{''.join(more)}"
    model = [str(given.screener)] if given.screener else ["--pretrained", "synthetic"]
    words = ["score", *model, *map(str, files), "-o", str(out), "--threads", str(given.threads), *more]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "atypia", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    return time.perf_counter() - begun, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
