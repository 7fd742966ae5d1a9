"""Fifty uploads at once: errors, times until judged, and throughput against `atypia score` on the same files.

    python benchmarks/service_load.py SCANS [--screener FILE] [--clients 50] [--threads N]

SCANS is a folder of pictures, of which the first `clients` are sent. Unloaded: one upload after another.
Throughput counts from the first upload to the last job's end; `atypia score`, with pictures of the maps and
without, is measured on the same files, and once more on one of them, which is taken off as its start.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from serving import Server

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".bmp", ".webp")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("scans", type=Path)
    words.add_argument("--screener", type=Path)
    words.add_argument("--clients", type=int, default=50)
    words.add_argument("--threads", type=int, default=2)
    given = words.parse_args()
    files = sorted(p for p in given.scans.rglob("*") if p.suffix.lower() in SUFFIXES)[: given.clients]
    with tempfile.TemporaryDirectory() as folder:
        told = [given.screener] if given.screener else []
        server = Server(Path(folder) / "data", *told, "--threads", given.threads, "--workers", 1)
        server.until_ended({server.send(files[0])})  # the worker is there, and has its Screener
        unloaded = statistics.median(one(server, file) for file in files[:10])
        begun = time.perf_counter()
        with ThreadPoolExecutor(given.clients) as pool:
            sent = list(pool.map(lambda file: timed(server, file), files))
        seen = server.until_ended({job for job, _ in sent})
        states = server.jobs()
        server.end()
        took = sorted(seen[job] - at for job, at in sent if job in seen)
        whole = max(seen.values()) - begun
        with_maps, alone = (
            scored(files, given, Path(folder), *more) - scored(files[:1], given, Path(folder), *more)
            for more in (["--heatmaps"], [])
        )
    done = sum(states[job]["state"] == "done" for job, _ in sent)
    p95 = took[round(0.95 * (len(took) - 1))]
    print(f"jobs done: {done} of {len(files)}")
    print(f"unloaded, median of 10: {unloaded:.2f} s")
    print(f"at once: median {statistics.median(took):.2f} s, p95 {p95:.2f} s")
    print(f"p95 against the unloaded time of all, one after the other: {p95 / (unloaded * len(files)):.2f}")
    print(f"throughput: {len(files) / whole:.1f} a second")
    for words, seconds in (("atypia score --heatmaps", with_maps), ("atypia score", alone)):
        rate = (len(files) - 1) / seconds
        print(f"{words}, without its start: {rate:.1f} a second")
        print(f"throughput against it: {len(files) / whole / rate:.2f}")


def one(server: Server, file: Path) -> float:
    begun = time.perf_counter()
    job = server.send(file)
    while server.client.get(f"/api/v1/jobs/{job}").json()["state"] != "done":
        time.sleep(0.01)
    return time.perf_counter() - begun


def timed(server: Server, file: Path) -> tuple[str, float]:
    at = time.perf_counter()
    return server.send(file), at


def scored(files: list[Path], given: argparse.Namespace, folder: Path, *more: str) -> float:
    out = folder / f"out-{len(files)}{''.join(more)}"
    model = [str(given.screener)] if given.screener else ["--pretrained", "synthetic"]
    words = ["score", *model, *map(str, files), "-o", str(out), "--threads", str(given.threads), *more]
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "atypia", *words], check=False, capture_output=True)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
