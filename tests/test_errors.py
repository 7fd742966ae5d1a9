from __future__ import annotations

import ast
import re
from pathlib import Path

from atypia import errors
from atypia.errors import AtypiaError, MissingExtra, UnreadableScan

LINE = re.compile(r"^    (?P<depth>[│├└─ ]*)(?P<name>[A-Z]\w+) +(?P<code>\d+)(?: +(?P<meaning>\S.*))?$")


def drawn() -> dict[str, tuple[str | None, int]]:
    """The tree in the docstring: each name with its parent and its exit code."""
    tree: dict[str, tuple[str | None, int]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := LINE.match(line):
            depth = len(found["depth"]) // 4
            tree[found["name"]] = (above[depth - 1] if depth else None, int(found["code"]))
            above[depth:] = [found["name"]]
    return tree


def grown(
    kind: type[AtypiaError] = AtypiaError, parent: str | None = None
) -> dict[str, tuple[str | None, int]]:
    """The tree as it is in the code, whichever module its leaves are in."""
    tree = {kind.__name__: (parent, kind.exit_code)}
    for child in kind.__subclasses__():
        tree |= grown(child, kind.__name__)
    return tree


def test_the_tree_in_the_docstring_is_the_one_in_the_code():
    assert drawn() == grown()
    assert len(drawn()) > 10


def test_all_errors_live_in_one_module():
    package = Path(errors.__file__).parent
    elsewhere = [
        f"{file.relative_to(package)}: {node.name}"
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and {ast.unparse(base) for base in node.bases} & set(grown())
        if file.name != "errors.py"
    ]
    assert elsewhere == []


def test_every_error_says_what_it_is_for():
    assert all(getattr(errors, name).__doc__ for name in grown())


def test_an_unreadable_scan_tells_its_file_what_was_expected_and_what_to_do():
    error = UnreadableScan("a.png", "a picture", "a text", "Export it again.")
    assert str(error) == "a.png: expected a picture, received a text. Export it again."
    assert (error.path, error.expected, error.received, error.hint) == (
        "a.png",
        "a picture",
        "a text",
        "Export it again.",
    )


def test_a_missing_extra_tells_the_command_that_installs_it():
    assert 'pip install "atypia[train]"' in str(MissingExtra("Training a network", "train"))


def test_an_unreadable_scan_is_told_with_and_without_the_way_to_it():
    error = UnreadableScan(Path("/of Jane/1.png"), "a picture", "a text", "Look at /of Jane/1.png.")
    assert str(error) == "/of Jane/1.png: expected a picture, received a text. Look at /of Jane/1.png."
    assert error.brief == "1.png: expected a picture, received a text. Look at 1.png."
