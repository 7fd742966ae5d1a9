"""The page that was built and committed: it is what its sources make, small, and asks nothing of others."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES, WEB = ROOT / "page", ROOT / "src/atypia/service/web"
MOST_BYTES = 400_000
FIRST = (".html", ".css", ".js", ".svg")
NPM_SECONDS = 170


@pytest.fixture(autouse=True)
def sources() -> None:
    if not SOURCES.is_dir():
        pytest.skip("the page's sources are in the repository alone")


def test_it_was_built_from_these_sources():
    told = json.loads((WEB / "sources.json").read_text(encoding="utf-8"))["sha256"]
    assert told == hash_of(SOURCES), "page/ has changed: cd page && npm ci && npm run build"


def hash_of(home: Path) -> str:
    """Return what page/build/record.ts calls the hash of the sources."""
    named = re.search(
        r"SOURCES = (\[.*?\])", (home / "build/record.ts").read_text(encoding="utf-8"), re.DOTALL
    )
    assert named is not None
    roots = [home / name for name in json.loads(named[1])]
    files = [
        file for root in roots for file in ([root] if root.is_file() else root.rglob("*")) if file.is_file()
    ]
    digest = hashlib.sha256()
    for name, file in sorted((file.relative_to(home).as_posix(), file) for file in files):
        digest.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def test_the_first_load_is_small():
    index = (WEB / "index.html").read_text(encoding="utf-8")
    named = {name.lstrip("/") for name in re.findall(r'(?:src|href)="([^"]+)"', index)}
    assert all((WEB / name).is_file() for name in named)
    files = [WEB / "index.html", *(WEB / name for name in named)]
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < MOST_BYTES
    assert not any("niivue" in name for name in named)


def test_it_has_nothing_inline_and_names_no_other_machine():
    index = (WEB / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=", index)
    assert "://" not in index
    styles = "".join(file.read_text(encoding="utf-8") for file in WEB.glob("assets/*.css"))
    assert "://" not in styles
    assert "@import" not in styles


def test_every_page_begins_with_the_notice():
    assert "Research use only. Not a medical device." in (WEB / "index.html").read_text(encoding="utf-8")


def test_the_licences_of_what_went_in_are_with_it():
    told = (WEB / "LICENCES.txt").read_text(encoding="utf-8")
    names = re.findall(r"^(@?[\w./-]+) \d[\w.-]*: (.+)$", told, re.MULTILINE)
    wanted = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert set(wanted) <= {name for name, _ in names}
    assert {licence for _, licence in names} <= {"MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0"}
    assert told.lower().count("copyright") >= len(names)


def test_the_lock_names_no_registry():
    lock = (SOURCES / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert "registry" not in lock
    assert '"integrity"' in lock


def new_enough(told: str) -> bool:
    """Tell whether a version of Node, such as v20.19.4, is one that the locked Vite runs on."""
    major, minor = (int(part) for part in re.findall(r"\d+", told)[:2])
    lock = json.loads((SOURCES / "package-lock.json").read_text(encoding="utf-8"))
    wanted = re.findall(r"(\^|>=)(\d+)\.(\d+)", lock["packages"]["node_modules/vite"]["engines"]["node"])
    assert wanted
    return any(
        (major, minor) >= (int(least), int(lesser)) and (sign == ">=" or major == int(least))
        for sign, least, lesser in wanted
    )


@pytest.mark.parametrize(
    ("told", "enough"), [("v18.20.4", False), ("v20.18.0", False), ("v20.19.0", True), ("v24.1.0", True)]
)
def test_an_old_node_is_known(told, enough):
    assert new_enough(told) is enough


@pytest.mark.slow
def test_a_new_build_gives_the_same_bytes(tmp_path):
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("no npm here")
    told = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    if not new_enough(told):
        pytest.skip(f"Node {told.strip()} is older than the build needs")
    copy = tmp_path / "page"
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("node_modules"))
    for command, reason in (("ci", "npm reaches no packages"), ("run build", None)):
        done = subprocess.run(
            [npm, *command.split()],
            cwd=copy,
            capture_output=True,
            text=True,
            timeout=NPM_SECONDS,
            check=False,
        )
        if done.returncode and reason:
            pytest.skip(reason)
        assert done.returncode == 0, done.stdout + done.stderr
    built = tmp_path / "src/atypia/service/web"
    assert contents(built) == contents(WEB)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
