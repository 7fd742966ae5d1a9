"""Peak memory of `atypia score` over few and over many images.

    python benchmarks/memory.py MODEL FOLDER... [--counts 1000 10000 100000] [--images 300]

The scans are links to some hundred images of the folders, as many links as are counted. Each count is a
process of its own; the operating system's own figure of its peak is told, and its ratio to the first.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from atypia.reading.collection import Collection, Row, read_collections, write_collection


def peak_mib(model: Path, table: Path, out: Path, threads: int | None) -> float:
    """Score a table in a process of its own and return its peak resident memory."""
    code = (
        "import resource, sys\nfrom atypia.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, "score", str(model), str(table), "-o", str(out)]
    command += [] if threads is None else ["--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    if not (out / "findings.csv").exists():
        raise SystemExit(done.stderr)
    unit = 1 if sys.platform == "darwin" else 1024
    return int(done.stdout.split()[-1]) * unit / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--threads", type=int, help="as of atypia score")
    asked = parser.parse_args()
    rows = [
        replace(row, label=None, split=None, group=None, kind=None, mask=None)
        for row in read_collections(asked.folders)
    ]
    rows = rows[:: max(1, len(rows) // asked.images)][: asked.images]
    first = None
    with tempfile.TemporaryDirectory() as folder:
        for count in asked.counts:
            table = _linked(rows, count, Path(folder) / f"links-{count}")
            mib = peak_mib(asked.model, table, Path(folder) / str(count), asked.threads)
            first = first or mib
            print(f"{count:7} scans: peak {mib:7.0f} MiB, {mib / first:.3f} times the first", flush=True)


def _linked(rows: list[Row], count: int, folder: Path) -> Path:
    """Copy the files of these rows, make so many hard links to the copies, and the table of them."""
    folder.mkdir()
    copies = [shutil.copy(row.path, folder / f"copy-{n}{row.path.suffix}") for n, row in enumerate(rows)]
    linked = []
    for number in range(count):
        row = rows[number % len(rows)]
        path = folder / f"{number:06}{row.path.suffix}"
        path.hardlink_to(copies[number % len(rows)])
        linked.append(replace(row, path=path, name=path.name))
    table = folder / "scans.csv"
    write_collection(Collection(tuple(linked), "benchmark"), table)
    return table


if __name__ == "__main__":
    main()
