"""What is handed out: the wheel has all that runs and nothing else; the source makes the same wheel."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = {".whl": 8_000_000, ".gz": 12_000_000}

NEEDED = (
    "atypia/py.typed",
    "atypia/datasets/catalogue.toml",
    "atypia/evaluation/metrics.schema.json",
    "atypia/audit/audit.schema.json",
    "atypia/report/report.html.jinja",
    "atypia/encoders/efficientnet_lite0.onnx",
    "atypia/pretrained/synthetic.atypia",
    "atypia/recognition/classifiers.npz",
    "atypia/service/store/migrations/versions/v0001.py",
    "atypia/service/web/index.html",
    "atypia/service/web/LICENCES.txt",
)


def build(folder: Path, target: Path, *kinds: str) -> list[Path]:
    """Build with the pinned hatchling of this environment: no network, no isolation."""
    words = [sys.executable, "-m", "hatchling", "build", "-d", str(target), *kinds]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(target.iterdir())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {path.suffix: path for path in build(ROOT, tmp_path_factory.mktemp("dist"))}


@pytest.fixture(scope="module")
def wheel(built: dict[str, Path]) -> set[str]:
    with zipfile.ZipFile(built[".whl"]) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def source(built: dict[str, Path]) -> set[str]:
    with tarfile.open(built[".gz"]) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_both_are_small(built: dict[str, Path]) -> None:
    assert set(built) == set(MOST_BYTES)
    for suffix, path in built.items():
        assert path.stat().st_size < MOST_BYTES[suffix]


def test_the_wheel_has_all_that_runs(wheel: set[str]) -> None:
    package = ROOT / "src" / "atypia"
    files = {
        f"atypia/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert set(NEEDED) <= files
    assert {name for name in wheel if name.startswith("atypia/")} == files


def test_the_page_in_the_wheel_is_whole(built: dict[str, Path], wheel: set[str]) -> None:
    with zipfile.ZipFile(built[".whl"]) as archive:
        index = archive.read("atypia/service/web/index.html").decode()
    assets = [name for name in wheel if name.startswith("atypia/service/web/assets/")]
    assert {Path(name).suffix for name in assets} == {".js", ".css"}
    assert any(Path(name).name in index for name in assets)


def test_the_wheel_has_licence_and_notice_and_nothing_else(wheel: set[str]) -> None:
    beside = {name.partition("/")[2] for name in wheel if not name.startswith("atypia/")}
    assert beside == {
        "METADATA",
        "WHEEL",
        "RECORD",
        "entry_points.txt",
        "licenses/LICENSE",
        "licenses/NOTICE",
    }


def test_no_tests_no_packages_and_nothing_left_behind(wheel: set[str], source: set[str]) -> None:
    for name in wheel | source:
        parts = set(Path(name).parts)
        assert parts.isdisjoint({"node_modules", "__pycache__", ".venv", ".git", ".hypothesis", "runs"}), name
        assert Path(name).name not in {"uv.lock", ".env"}, name
    assert not any("test" in Path(name).parts or "tests" in Path(name).parts for name in wheel)


def test_the_source_makes_the_same_wheel(built: dict[str, Path], source: set[str], tmp_path: Path) -> None:
    assert {"SECURITY.md", "NOTICE", "requirements.txt", "page/package-lock.json"} <= source
    with tarfile.open(built[".gz"]) as archive:
        archive.extractall(tmp_path, filter="data")
    (again,) = build(next(tmp_path.iterdir()), tmp_path / "again", "-t", "wheel")
    assert again.read_bytes() == built[".whl"].read_bytes()
