"""Write the seeds of a target into a folder: `python -m fuzz.planting NAME FOLDER`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path


def plant(name: str, folder: Path) -> None:
    """Write the seeds of one target, each a file `seed-NAME`."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, data in import_module(f"fuzz.{name}").TARGET.seeds():
        (folder / f"seed-{seed}").write_bytes(data)


if __name__ == "__main__":
    plant(sys.argv[1], Path(sys.argv[2]))
