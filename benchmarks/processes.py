"""What several processes are worth on one machine: the command `score` with one and with several of them.

    python benchmarks/processes.py MODEL [MODEL ...] --scans TABLE [--images 1536] [--rounds 3]
    python benchmarks/processes.py MODEL --scans TABLE --root FOLDER --processes 1 2 4 --threads 4

A folder of --images is made of copies of the scans of TABLE, again and again. In each round it is judged with
each count of --processes, in turn, in all with as many threads: --threads, or one for each processor. Of each
command are told, as medians of the rounds: the seconds that pass from its beginning to its end, so the start
is among them; scans a second; seconds of processor; the most memory that all its processes together have at
one moment, shared parts counted once (Linux alone). Then how many times as fast it is as the first, round by
round. All must have written the same bytes. Beside other work on the machine the figures are smaller.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from atypia.processors import usable
from atypia.reading.collection import read_collection

_EVERY = 0.25


@dataclass(frozen=True)
class _Run:
    """Seconds that passed, seconds of processor, and the most bytes of memory."""

    passed: float
    worked: float
    memory: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--scans", type=Path, required=True)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--splits", nargs="*", help="judge the scans of these splits alone")
    parser.add_argument("--images", type=int, default=1536)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--threads", type=int, default=usable())
    asked = parser.parse_args()
    rows = read_collection(asked.scans, root=asked.root).rows
    files = [row.path for row in rows if not asked.splits or row.split in asked.splits]
    with tempfile.TemporaryDirectory() as name:
        copies = Path(name, "copies")
        copies.mkdir()
        for number in range(asked.images):
            file = files[number % len(files)]
            shutil.copyfile(file, copies / f"{number:06}{file.suffix}")  # links would count as one scan
        print(f"{asked.images} scans, {asked.threads} threads in all, medians of {asked.rounds} rounds")
        for model in asked.models:
            _compare(model, copies, asked.images, asked.rounds, asked.processes, asked.threads)


def _compare(model: Path, copies: Path, count: int, rounds: int, processes: list[int], threads: int) -> None:
    runs: dict[int, list[_Run]] = {number: [] for number in processes}
    written: set[bytes] = set()
    for turn in range(rounds):
        for number in processes if turn % 2 == 0 else reversed(processes):
            out = copies.parent / "out"
            words = ["score", model, copies, "-o", out, "--processes", number, "--threads", threads]
            runs[number].append(_ran([sys.executable, "-m", "atypia", *map(str, words)]))
            written.add(b"".join((out / f"{table}.csv").read_bytes() for table in ("findings", "regions")))
            shutil.rmtree(out)
    assert len(written) == 1, "other bytes were written"
    print(f"{model.parent.name}/{model.name}")
    first = runs[processes[0]]
    for number, found in runs.items():
        passed, worked, memory = (
            statistics.median(getattr(run, what) for run in found) for what in ("passed", "worked", "memory")
        )
        ratios = [one.passed / run.passed for one, run in zip(first, found, strict=True)]
        print(
            f"{number:3} processes {passed:7.1f} s {count / passed:7.1f} scans/s, processor {worked:7.1f} s, "
            f"memory {memory / 2**20:6.0f} MiB, {statistics.median(ratios):.2f} times as fast "
            f"({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


def _ran(command: list[str]) -> _Run:
    before, began, most = os.times(), time.perf_counter(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while process.poll() is None:
        most = max(most, _memory(process.pid))
        time.sleep(_EVERY)
    passed, after = time.perf_counter() - began, os.times()
    assert process.stderr is not None
    told = process.stderr.read()
    assert process.returncode in (0, 1), told
    worked = after.children_user + after.children_system - before.children_user - before.children_system
    return _Run(passed, worked, most)


def _memory(pid: int) -> int:
    """Return the bytes that a process and those that it has started hold, shared ones by their share."""
    try:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
        held = sum(int(line.split()[1]) << 10 for line in told.splitlines() if line.startswith("Pss:"))
        started = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    return held + sum(_memory(int(child)) for child in started)


if __name__ == "__main__":
    main()
