"""What the project stands on, as its files say: pins with hashes, by extra, and the packages of the page.

Read by tools/check_licences.py and tools/make_sbom.py. Nothing here asks a network.
"""

from __future__ import annotations

import base64
import importlib.metadata
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LICENCES: dict[str, Any] = tomllib.loads((ROOT / "tools/licences.toml").read_text(encoding="utf-8"))
BUNDLED = re.compile(r"^(@?[\w./-]+) (\d[\w.+-]*): (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Pin:
    """One pinned version of a Python package; `hashes` are the SHA-256 of each of its files, in hex."""

    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        (exact,) = self.requirement.specifier
        return exact.version

    @property
    def is_for_here(self) -> bool:
        """Whether this Python on this platform gets it."""
        return self.requirement.marker is None or self.requirement.marker.evaluate()


@dataclass(frozen=True)
class Package:
    """One npm package that the page is built or tested with; `sha512` is in hex."""

    name: str
    version: str
    licence: str | None
    sha512: str
    development: bool


def read_pins() -> list[Pin]:
    """Return the pins of requirements.txt, in its order."""
    joined = (ROOT / "requirements.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [
        Pin(Requirement(line.partition(" --hash")[0]), tuple(re.findall(r"sha256:([0-9a-f]{64})", line)))
        for line in lines
    ]


def installed() -> dict[str, importlib.metadata.Distribution]:
    """Return the packages that this Python finds, by name."""
    return {
        canonicalize_name(found.name): found for found in importlib.metadata.distributions() if found.name
    }


def groups_of(names: set[str]) -> dict[str, set[str]]:
    """Return for each of these packages what asks for it: base, extras, or dev where nothing else does.

    What a package asks for is read from the metadata of those that are installed.
    """
    table, here = PROJECT["project"], installed()
    asked = {"base": table["dependencies"], **table["optional-dependencies"]}
    groups: dict[str, set[str]] = {name: set() for name in names}
    for group, lines in asked.items():
        for name in _reached([Requirement(line) for line in lines], here) & names:
            groups[name].add(group)
    return {name: {"base"} if "base" in found else found or {"dev"} for name, found in groups.items()}


def on_request() -> set[str]:
    """Return the packages of the groups that `uv sync` leaves out: what only they need may be missing."""
    groups = {name: lines for name, lines in PROJECT["dependency-groups"].items() if name != "dev"}
    return {canonicalize_name(Requirement(line).name) for lines in groups.values() for line in lines}


def _reached(start: list[Requirement], here: dict[str, importlib.metadata.Distribution]) -> set[str]:
    seen: set[tuple[str, str]] = set()
    waiting = [(requirement, "") for requirement in start]
    while waiting:
        requirement, extra = waiting.pop()
        marker = requirement.marker
        if marker and "extra" in str(marker) and not marker.evaluate({"extra": extra}):
            continue  # platforms and Pythons are not asked about: the pins are for all of them
        name = canonicalize_name(requirement.name)
        for wanted in {"", *requirement.extras}:
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                lines = here[name].requires or [] if name in here else []
                waiting += [(Requirement(line), wanted) for line in lines]
    return {name for name, _ in seen}


def read_packages() -> list[Package]:
    """Return the npm packages of page/package-lock.json, in its order."""
    lock = json.loads((ROOT / "page/package-lock.json").read_text(encoding="utf-8"))
    return [_package(path, told) for path, told in lock["packages"].items() if path]


def _package(path: str, told: dict[str, Any]) -> Package:
    name = path.rpartition("node_modules/")[2]
    kind, _, digest = told["integrity"].partition("-")
    if kind != "sha512":
        raise SystemExit(f"page/package-lock.json: expected a sha512 for {name}, received {kind}.")
    sha512 = base64.b64decode(digest).hex()
    development = bool(told.get("dev") or told.get("optional"))
    return Package(name, told["version"], told.get("license"), sha512, development)


def read_bundled() -> dict[tuple[str, str], str]:
    """Return name and version of each npm package in the built page, with its licence."""
    told = (ROOT / "src/atypia/service/web/LICENCES.txt").read_text(encoding="utf-8")
    return {(name, version): licence for name, version, licence in BUNDLED.findall(told)}


def shipped_files() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield each file of the package that is no Python source, with what licences.toml says of it."""
    package = ROOT / "src" / "atypia"
    matched = {path: told for pattern, told in LICENCES["shipped"].items() for path in package.glob(pattern)}
    for path in sorted(package.rglob("*")):
        if path.is_file() and path.suffix not in {".py", ".pyc"}:
            yield path, matched.get(path) or matched.get(_folder_in(path, matched), {})


def _folder_in(path: Path, matched: dict[Path, dict[str, Any]]) -> Path:
    return next((folder for folder in path.parents if folder in matched), path)
