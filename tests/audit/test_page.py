from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest

from atypia.audit import Severity, audit_collection
from atypia.audit.galleries import below_common
from atypia.audit.page import write_audit
from atypia.audit.strangers import Stranger
from atypia.notice import RESEARCH_USE_ONLY
from atypia.reading.collection import Collection


@pytest.fixture(scope="module")
def schema():
    return json.loads(files("atypia.audit").joinpath("audit.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(audited, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    strange = tuple(Stranger(n, "CT", "looks like CT", 3.0 - n / 100) for n in range(20))
    written = write_audit(
        replace(audited, strangers=strange), out, title="A <b>set</b>", command="atypia audit x"
    )
    return written, written.page.read_text(encoding="utf-8")


def test_json_is_as_its_schema_says(page, schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    told = json.loads((page[0].page.parent / "audit.json").read_text(encoding="utf-8"))
    jsonschema.validate(told, schema)
    assert told["schema"] == 1
    assert told["counts"] == {"scans": 62, "unreadable": 1, "distinct": 56, "normal": 42, "abnormal": 20}
    assert told["leaks"]["touched"]["test"]["share"] == 5 / 32
    assert len(told["strangers"]) == 20


def test_every_field_of_the_schema_is_described(schema):
    def bare(node, path):
        if "properties" in node:
            for name, child in node["properties"].items():
                if "description" not in child:
                    yield f"{path}.{name}"
                yield from bare(child, f"{path}.{name}")
        for child in filter(None, [node.get("items"), *node.get("anyOf", [])]):
            yield from bare(child, path)

    assert list(bare(schema, "")) == []


def test_the_page_needs_nothing_else(page):
    _, text = page
    assert "<script" not in text
    assert re.findall(r'(?:src|href|srcset)="(?!data:|#)[^"]*"', text) == []
    assert not re.search(r"url\((?!['\"]?data:)", text)
    assert text.count(RESEARCH_USE_ONLY) >= 2
    assert "prefers-color-scheme: dark" in text
    assert len(text) < 2_000_000


def test_the_page_says_the_worst_first_and_shows_it(page):
    written, text = page
    assert written.invalid
    assert written.verdicts[0].severity is Severity.INVALID
    assert "Figures measured on this set as it stands would not hold" in text
    for words in (
        "A &lt;b&gt;set",
        "96x96 pixels",
        "2 copies of one image",
        "One image, two labels",
        "16 of 20 shown",
    ):
        assert words in text, words
    assert text.count("data:image/jpeg;base64,") >= 20


def test_no_folder_of_the_machine_is_told(page, flawed):
    written, text = page
    told = (written.page.parent / "audit.json").read_text(encoding="utf-8")
    inside = json.loads(told)
    inside["unreadable"] = []  # its words name the file, as everywhere
    assert str(flawed.table.parent) not in json.dumps(inside)
    assert str(flawed.table) not in text


@pytest.mark.parametrize(
    "skip", [("copies", "shortcuts", "strangers"), ("copies", "strangers"), ("shortcuts",)]
)
def test_a_page_without_labels_splits_or_parts_is_whole(flawed, tmp_path, schema, skip):
    rows = tuple(replace(row, label=None, split=None) for row in flawed.collection)[-8:]
    written = write_audit(audit_collection(Collection(rows, "bare"), skip=skip), tmp_path)
    jsonschema.validate(json.loads((tmp_path / "audit.json").read_text(encoding="utf-8")), schema)
    assert not written.invalid
    assert written.page.read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_names_are_shortened_by_what_all_share(audited):
    rows = tuple(replace(row, name=f"set/a/{row.name}") for row in audited.rows)
    assert below_common(replace(audited, rows=rows))("set/a/x.png") == "x.png"
    mixed = (replace(rows[0], name="set/b/x.png"), *rows[1:])
    assert below_common(replace(audited, rows=mixed))("set/b/x.png") == "b/x.png"
    alone = (replace(rows[0], name="x.png"), *rows[1:])
    assert below_common(replace(audited, rows=alone))("set/a/x.png") == "set/a/x.png"
