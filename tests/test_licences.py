"""Licences: what is installed here, built into the page or shipped is allowed, or excused with a reason."""

from __future__ import annotations

import importlib
from email.message import Message
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def licences() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        yield importlib.import_module("check_licences")


def test_nothing_that_is_installed_is_wrong(licences: ModuleType) -> None:
    told, wrong = licences.check_python()
    assert wrong == []
    assert set(told) == {pin.name for pin in licences.read_pins()}


def test_nothing_in_the_page_is_wrong(licences: ModuleType) -> None:
    packages, wrong = licences.check_page()
    assert wrong == []
    bundled = licences.read_bundled()
    assert {name for name, _ in bundled} >= {"preact", "@niivue/niivue"}
    assert len(bundled) < len(packages)


def test_every_file_of_the_package_has_a_licence(licences: ModuleType) -> None:
    count, wrong = licences.check_files()
    assert wrong == []
    assert count > 20


def test_no_exception_is_stale(licences: ModuleType) -> None:
    told, _ = licences.check_python()
    packages, _ = licences.check_page()
    used = {package.name for package in packages}
    assert set(licences.LICENCES["exceptions"]) <= set(told)
    assert set(licences.LICENCES["page"]) <= used
    excused = [*licences.LICENCES["exceptions"].values(), *licences.LICENCES["page"].values()]
    assert all(len(exception["reason"]) > 10 for exception in excused)


def test_the_base_and_what_serves_ask_for_no_strong_copyleft(licences: ModuleType) -> None:
    told, _ = licences.check_python()
    for name, (licence, groups) in told.items():
        if groups & {"base", "serve", "dicom", "train", "remote", "ray"}:
            assert "GPL" not in licence, name


@pytest.mark.parametrize(
    ("name", "licence", "groups", "word"),
    [
        ("some", "GPL-3.0-only", {"base"}, "not allowed"),
        ("psycopg", "GPL-3.0-only", {"postgres"}, "exception is for LGPL-3.0-only"),
        ("psycopg", "LGPL-3.0-only", {"postgres", "base"}, "not for base"),
        ("psycopg", "MIT", {"postgres"}, "take its exception out"),
        ("some", "no expression at all (", {"dev"}, "not allowed"),
    ],
)
def test_what_is_wrong_is_seen(
    licences: ModuleType, name: str, licence: str, groups: set[str], word: str
) -> None:
    (line,) = licences.judge(name, licence, groups)
    assert word in line


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 AND (MIT OR GPL-2.0-only)", True),
        ("MIT AND GPL-2.0-only", False),
        ("GPL-3.0-only WITH GCC-exception-3.1", False),
        ("", False),
    ],
)
def test_expressions(licences: ModuleType, expression: str, allowed: bool) -> None:
    assert licences.is_allowed(expression) is allowed


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ({"License-Expression": "MIT", "License": "GPL"}, "MIT"),
        ({"License": "BSD 3-Clause", "Classifier": "License :: OSI Approved :: BSD License"}, "BSD-3-Clause"),
        ({"License": "x" * 500, "Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
        ({"License": "All rights reserved"}, None),
        ({"Classifier": "License :: Other/Proprietary License"}, None),
        ({}, None),
    ],
)
def test_metadata_is_read(licences: ModuleType, fields: dict[str, str], licence: str | None) -> None:
    told = Message()
    for field, value in fields.items():
        told[field] = value
    assert licences.licence_of(SimpleNamespace(name="some", metadata=told)) == licence


def test_a_package_that_must_not_be_in_the_page_is_seen(licences: ModuleType) -> None:
    package = next(found for found in licences.read_packages() if found.name == "axe-core")
    assert licences._judge_package(package, {}) == []
    (line,) = licences._judge_package(package, {(package.name, package.version): "MPL-2.0"})
    assert "more than a tool of the build" in line
