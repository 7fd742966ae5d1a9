"""The documents: the reference is that of the code, links lead somewhere, and what is shown can be typed."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from atypia.cli.main import commands

ROOT = Path(__file__).resolve().parents[1]
TOP = ("README", "ARCHITECTURE", "CONTRIBUTING", "CHANGELOG", "SECURITY")
DOCUMENTS = [*(ROOT / f"{name}.md" for name in TOP), *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN = [path for path in DOCUMENTS if path.parent.name != "reference"]  # by hand, wholly

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MACHINE_PATH = re.compile(r"(?<![\w.~/>:-])/(?:home|root|work|tmp|Users|mnt|opt|var)/")
REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.|conda\.anaconda\.|index[-]url|find[-]links")
SOURCE = re.compile(r"`((?:src/atypia|tests|tools|docs|benchmarks)/[\w./-]+\w)`")
MODULE = re.compile(r"`(atypia(?:\.\w+)+)`")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def fences(path: Path, *languages: str) -> Iterator[str]:
    for language, text in FENCE.findall(path.read_text(encoding="utf-8")):
        if language in languages:
            yield text


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """Return the anchors that hosts of Markdown give to headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def typed(path: Path) -> Iterator[str]:
    """Yield the atypia commands that a document shows in fences of the language sh."""
    for text in fences(path, "sh"):
        for line in text.replace("\\\n", " ").splitlines():
            for command in line.partition("#")[0].split("&&"):
                words = command.removeprefix(" ").removeprefix("uv run ").strip()
                if words.startswith("atypia "):
                    yield words


SHOWN = [(path, command) for path in DOCUMENTS for command in typed(path)]


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "tools" / "make_reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_that_of_the_code(reference: ModuleType) -> None:
    stale = [path.name for path in reference.out_of_date()]
    assert stale == [], "run: python tools/make_reference.py"


def test_every_part_of_the_reference_has_its_place(reference: ModuleType) -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in reference.REFERENCE.glob("*.md"))
    assert sorted(name for _, name, _ in reference.MARKED.findall(pages)) == sorted(reference.PARTS)


def test_a_change_of_the_code_is_seen(reference: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(reference.PARTS, "ready_recipes", lambda: "another table")
    assert [path.name for path in reference.out_of_date()] == ["recipes.md"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for link in LINK.findall(prose(path)):
        if re.match(r"https?://", link):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        inside = target.exists() and target.is_relative_to(ROOT)
        if not inside or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_start_page_leads_to_every_document() -> None:
    start = ROOT / "docs" / "index.md"
    linked = {(start.parent / link.partition("#")[0]).resolve() for link in LINK.findall(prose(start))}
    pages = {path for path in DOCUMENTS if path.parent != ROOT and path != start}
    pages.remove(ROOT / "docs" / "reference" / "index.md")  # README leads there
    assert [named(path) for path in sorted(pages - linked)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_python_compiles_and_its_imports_are_there(path: Path) -> None:
    for text in fences(path, "python"):
        for node in ast.walk(ast.parse(text, named(path))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("atypia"):
                home = importlib.import_module(node.module)
                assert [alias.name for alias in node.names if not hasattr(home, alias.name)] == []


@pytest.mark.parametrize(("path", "command"), SHOWN, ids=[command for _, command in SHOWN])
def test_commands_can_be_typed(path: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options, values and the number of arguments are checked; files need not be there."""
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, context: Path(value))  # noqa: ARG005
    found: click.Command = commands
    words, context = shlex.split(command)[1:], click.Context(commands)
    while isinstance(found, click.Group) and words and not words[0].startswith("-"):
        name, below, words = found.resolve_command(context, words)
        assert below, f"{named(path)}: no command {name}"
        found, context = below, click.Context(below, parent=context, info_name=name)
    code = 0
    try:
        found.make_context(command, words, parent=context.parent)
    except click.exceptions.Exit as ended:  # --help and --version end here
        code = ended.exit_code
    except click.UsageError as error:
        pytest.fail(f"{named(path)}: {command}: {error.format_message()}")
    assert code == 0


def test_a_wrong_command_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    for command in ("atypia fit healthy/", "atypia score a.atypia b/ -o c --format xls"):
        with pytest.raises(pytest.fail.Exception):
            test_commands_can_be_typed(ROOT / "README.md", command, monkeypatch)


def test_readme_shows_the_commands_that_matter() -> None:
    shown = {command.split()[1] for path, command in SHOWN if path.name == "README.md"}
    assert shown >= {"demo", "fit", "score", "evaluate"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_no_machine_and_no_registry_is_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert MACHINE_PATH.findall(text) == []
    assert REGISTRY.findall(text) == []


@pytest.mark.parametrize("path", WRITTEN, ids=named)
def test_files_and_modules_that_are_named_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    files = [name for name in SOURCE.findall(text) if "yours" not in name and not (ROOT / name).exists()]
    assert files == []
    for name in MODULE.findall(text):
        home, _, last = name.rpartition(".")
        present = importlib.util.find_spec(name) if home == "atypia" else None
        assert present or hasattr(importlib.import_module(home), last) or importlib.util.find_spec(name), name


def test_decisions_are_numbered_without_gaps() -> None:
    names = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert [name[:5] for name in names] == [f"{number:04}-" for number in range(1, len(names) + 1)]
    for name in names:
        text = (ROOT / "docs" / "decisions" / name).read_text(encoding="utf-8")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequence"], name
        assert text.startswith(f"# {int(name[:4])}. "), name


def test_the_picture_of_the_architecture_shows_every_room() -> None:
    source = ROOT / "src" / "atypia"
    rooms = {path.stem for path in source.iterdir() if path.is_dir() or path.suffix == ".py"}
    picture = next(text for text in fences(ROOT / "ARCHITECTURE.md", "text") if text.startswith("cli "))
    shown = {word for line in picture.splitlines() for word in re.split(r" {4,}", line)[0].split()}
    assert shown == {room for room in rooms if not room.startswith("__")}
