"""The pins that tools/pin.py writes: complete, the same in both places, and without any address."""

from __future__ import annotations

import re
import subprocess
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LINES = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS = [line.rstrip(" \\") for line in LINES if line[:1].isalnum()]

ADDRESS = re.compile(r"https?://|file://|index-url|find-links")
INDEX = re.compile(r"https?://\S*/simple\b|https?://(registry|files)\.|index-url\s*=|find-links\s*=")
LOCKS = {
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "pylock.toml",
    "yarn.lock",
}


def direct() -> list[Requirement]:
    table = PROJECT["project"]
    extras, groups = table["optional-dependencies"], PROJECT["dependency-groups"]
    lists = [table["dependencies"], *extras.values(), *groups.values()]
    asked = [Requirement(line) for lines in lists for line in lines]
    return [requirement for requirement in asked if requirement.name != table["name"]]


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone: nothing says which files are tracked")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_requirements_hold_no_address():
    assert [line for line in LINES if ADDRESS.search(line)] == []


def test_tracked_files_hold_no_address_of_an_index():
    files = tracked()
    assert {path.name for path in files}.isdisjoint(LOCKS)
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in files}
    assert [str(path) for path, text in texts.items() if INDEX.search(text)] == []


def test_requirements_and_constraints_agree():
    assert PROJECT["tool"]["uv"]["constraint-dependencies"] == PINS


def test_every_pin_is_exact_and_hashed():
    for line, following in pairwise(LINES):
        if line[:1].isalnum():
            assert re.match(r"[a-z0-9-]+==[^ ]+( ; .+)? \\$", line), line
            assert re.match(r"    --hash=sha256:[0-9a-f]{64}( \\)?$", following), line


@pytest.mark.parametrize("requirement", direct(), ids=str)
def test_every_direct_dependency_is_pinned_to_a_version_that_fits(requirement):
    pins = [Requirement(pin) for pin in PINS]
    pinned = [pin for pin in pins if pin.name == canonicalize_name(requirement.name)]
    assert pinned
    for pin in pinned:
        (exact,) = pin.specifier
        assert requirement.specifier.contains(exact.version, prereleases=True)
