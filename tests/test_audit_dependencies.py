"""The audit of dependencies: what it asks for; the answers need a network, and are not asked for here."""

from __future__ import annotations

import datetime
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
TODAY = datetime.date(2026, 6, 1)
ENTRY = '[[advisory]]\nid = "{}"\npackage = "p"\nreason = "Not reached."\nuntil = {}\n'


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_dependencies", ROOT / "tools/audit_dependencies.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_strict_and_reads_hashes(audit: ModuleType) -> None:
    words = audit.command(["A-1", "B-2"])
    assert {"--strict", "--require-hashes", "--disable-pip"} <= set(words)
    assert [words[place + 1] for place, word in enumerate(words) if word == "--ignore-vuln"] == ["A-1", "B-2"]


def test_an_exception_ends_after_its_day(audit: ModuleType) -> None:
    text = ENTRY.format("OLD-1", "2026-05-31") + ENTRY.format("NEW-1", "2026-06-01")
    assert audit.accepted(text, TODAY) == ["NEW-1"]


def test_an_exception_without_a_reason_is_refused(audit: ModuleType) -> None:
    with pytest.raises(SystemExit, match="lacks reason"):
        audit.accepted('[[advisory]]\nid = "A-1"\npackage = "p"\nuntil = 2030-01-01\n', TODAY)


def test_the_file_of_exceptions_is_good(audit: ModuleType) -> None:
    text = (ROOT / "tools/advisories.toml").read_text(encoding="utf-8")
    assert isinstance(audit.accepted(text, TODAY), list)


@pytest.mark.parametrize(("codes", "expected"), [((0, 0), 0), ((1, 0), 1), ((0, 1), 1)])
def test_one_that_fails_fails_all(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, codes: tuple[int, int], expected: int
) -> None:
    left = list(codes)

    def answer(*_: object, **__: object) -> object:
        return audit.subprocess.CompletedProcess([], left.pop(0))

    monkeypatch.setattr(audit.subprocess, "run", answer)
    monkeypatch.setattr(audit.shutil, "which", lambda name: name)
    assert audit.main() == expected


def test_a_missing_program_is_no_clean_audit(audit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit.shutil, "which", lambda _: None)
    assert audit.main() == 1
