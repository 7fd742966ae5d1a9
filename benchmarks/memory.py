"""Peak memory of `atypia score` over few and over many images.

    python benchmarks/memory.py MODEL FOLDER... [--few 500] [--many 5000]

Each count is a process of its own; the operating system's own figure of its peak is told.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from atypia.reading.collection import Collection, read_collections, write_collection


def peak_mib(model: Path, table: Path, out: Path) -> float:
    """Score a table in a process of its own and return its peak resident memory."""
    code = (
        "import resource, sys\nfrom atypia.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, "score", str(model), str(table), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024
    return int(done.stdout.split()[-1]) * unit / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--few", type=int, default=500)
    parser.add_argument("--many", type=int, default=5000)
    asked = parser.parse_args()
    rows = [
        replace(row, label=None, split=None, group=None, kind=None, mask=None)
        for row in read_collections(asked.folders)
    ]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in (asked.few, asked.many):
            table = Path(folder) / f"{count}.csv"
            step = max(1, len(rows) // count)
            write_collection(Collection(tuple(rows[::step][:count]), "benchmark"), table)
            found[len(rows[::step][:count])] = peak_mib(asked.model, table, Path(folder) / str(count))
    for count, mib in found.items():
        print(f"{count:6} images: peak {mib:7.0f} MiB")
    few, many = found.values()
    print(f"many / few: {many / few:.3f}")


if __name__ == "__main__":
    main()
