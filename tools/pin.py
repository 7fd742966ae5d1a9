"""Pin every dependency: writes requirements.txt and the constraints in pyproject.toml.

    python tools/pin.py              # keep the pins, add what pyproject.toml asks for now
    python tools/pin.py --upgrade    # forget the pins and take the newest versions that fit

One resolution for every Python and platform that pyproject.toml admits, with all extras and all groups.
requirements.txt carries hashes and no address, so that it serves with any index that has the same files.
The lock file that uv makes on the way is thrown away: it records the address of the index it was made with.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = ROOT / "pyproject.toml"
REQUIREMENTS = ROOT / "requirements.txt"

HEADER = (
    "# Written by tools/pin.py: every dependency, all extras and groups, with hashes.\n"
    "# Install with: pip install --require-hashes -r requirements.txt\n"
)
EXPORT = (
    "uv export --no-config --frozen --quiet --format requirements-txt --no-emit-project "
    "--all-extras --all-groups --no-annotate --no-header"
)
CONSTRAINTS = re.compile(r"^constraint-dependencies = \[.*?\]$", re.MULTILINE | re.DOTALL)
ADDRESS = re.compile(r"://|^\s*-(-index-url|-extra-index-url|-find-links|i|f)\b")


def with_constraints(project: str, pins: list[str]) -> str:
    """Return pyproject.toml with these pins as its list of constraints."""
    listed = "[\n" + "".join(f'    "{pin}",\n' for pin in pins) + "]" if pins else "[]"
    project, places = CONSTRAINTS.subn(lambda _: f"constraint-dependencies = {listed}", project)
    if places != 1:
        sys.exit(f"{PYPROJECT}: expected one list 'constraint-dependencies', found {places}.")
    return project


def run_uv(command: str, folder: Path) -> str:
    """Run uv without this machine's settings: the hash of a wheel from a local folder fits nowhere else."""
    settings = {k: v for k, v in os.environ.items() if not k.startswith(("UV_", "PIP_"))}
    try:
        done = subprocess.run(
            command.split(), cwd=folder, env=settings, capture_output=True, text=True, check=True
        )
    except subprocess.CalledProcessError as failure:
        sys.exit(f"{failure.stderr}\n'{command}' failed. If the old pins are in the way, use --upgrade.")
    return done.stdout


def resolve(project: str) -> list[str]:
    """Return the lines of a requirements file with hashes; stop at any that holds an address."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pyproject.toml").write_text(project, encoding="utf-8")
        run_uv("uv lock --no-config", folder)
        lines = run_uv(EXPORT, folder).splitlines()
    if addressed := [line for line in lines if ADDRESS.search(line)]:
        sys.exit("Expected no address in the pins, received:\n" + "\n".join(addressed))
    return lines


def pins_of(lines: list[str]) -> list[str]:
    """Return the pins without hashes.

    >>> pins_of(["numpy==2.4.6 ; python_full_version < '3.12' \\\\", "    --hash=sha256:12"])
    ["numpy==2.4.6 ; python_full_version < '3.12'"]
    """
    return [line.rstrip(" \\") for line in lines if line and not line.startswith((" ", "#"))]


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    project = PYPROJECT.read_text(encoding="utf-8")
    start = with_constraints(project, []) if parser.parse_args().upgrade else project
    lines = resolve(start)
    REQUIREMENTS.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    PYPROJECT.write_text(with_constraints(project, pins_of(lines)), encoding="utf-8")
    print(f"{len(pins_of(lines))} pins in {REQUIREMENTS.name} and {PYPROJECT.name}")


if __name__ == "__main__":
    main()
