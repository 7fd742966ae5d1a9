"""Processor and wall seconds of `atypia --help`, and of the first verdict of one picture.

    python benchmarks/startup.py SCAN MODEL [MODEL ...] [--rounds 7]

Each is a new process, with compiled bytecode at hand and files in memory, as on a second call; medians.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ATYPIA = [sys.executable, "-m", "atypia"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scan", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for variable in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"):
            os.environ.pop(variable, None)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}/bytecode"
        commands = {"--help": ["--help"], "pretrained synthetic": ["score", "--pretrained", "synthetic"]}
        commands |= {str(model): ["score", str(model)] for model in asked.models}
        for name, words in commands.items():
            scored = [str(asked.scan), "-o", f"{folder}/out"] if words[0] == "score" else []
            tell(name, [took([*ATYPIA, *words, *scored]) for _ in range(asked.rounds + 1)][1:])


def took(command: list[str]) -> tuple[float, float]:
    """Return the processor and the wall seconds of a command; raise CalledProcessError where it fails."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def tell(name: str, rounds: list[tuple[float, float]]) -> None:
    processor, wall = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{processor:6.2f} s of processor {wall:6.2f} s of wall  {name}")


if __name__ == "__main__":
    main()
