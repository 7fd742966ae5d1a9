"""The bill of materials: it meets its schema, and names all that is pinned, built in or shipped."""

from __future__ import annotations

import hashlib
import importlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def made() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        yield importlib.import_module("make_sbom")


@pytest.fixture(scope="module")
def text(made: Any) -> str:
    return str(made.written(made.make_bom(MOMENT)))


@pytest.fixture(scope="module")
def parts(text: str) -> dict[str, dict[str, Any]]:
    return {part["bom-ref"]: part for part in json.loads(text)["components"]}


def test_the_same_tree_gives_the_same_bytes(made: Any, text: str) -> None:
    assert made.JsonV1Dot6(made.make_bom(MOMENT)).output_as_string(indent=2) + "\n" == text


def test_every_pin_is_named_with_its_hashes(made: Any, parts: dict[str, dict[str, Any]]) -> None:
    for pin in made.read_pins():
        (files,) = parts[f"pkg:pypi/{pin.name}@{pin.version}"]["externalReferences"]
        assert {told["content"] for told in files["hashes"]} == set(pin.hashes)


def test_every_package_of_the_page_is_named(made: Any, parts: dict[str, dict[str, Any]]) -> None:
    named = {f"{part.get('group', '')}/{part['name']}".strip("/"): part for part in parts.values()}
    for package in made.read_packages():
        assert named[package.name]["hashes"][0]["alg"] == "SHA-512"
    assert named["preact"]["scope"] == "required"
    assert named["vite"]["scope"] == "excluded"


def test_the_weights_are_those_on_disk(parts: dict[str, dict[str, Any]]) -> None:
    weights = [part for part in parts.values() if part["type"] == "machine-learning-model"]
    assert len(weights) == 3
    for part in weights:
        digest = hashlib.sha256((ROOT / "src" / part["name"]).read_bytes()).hexdigest()
        assert part["hashes"] == [{"alg": "SHA-256", "content": digest}]


def test_scopes_tell_what_asks_for_a_package(parts: dict[str, dict[str, Any]]) -> None:
    scopes = {part["name"]: part["scope"] for key, part in parts.items() if key.startswith("pkg:pypi/")}
    assert (scopes["onnxruntime"], scopes["keras"], scopes["mypy"]) == ("required", "optional", "excluded")


def test_no_address_and_every_licence(text: str, parts: dict[str, dict[str, Any]]) -> None:
    assert "://" not in text.replace("http://cyclonedx.org/schema/", "")
    assert [key for key, part in parts.items() if not part.get("licenses")] == []


def test_what_breaks_the_schema_is_not_written(made: Any) -> None:
    with pytest.raises(SystemExit, match="CycloneDX"):
        made.written(made.Bom(version=0))
