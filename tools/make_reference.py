"""Fill docs/reference from the code: help texts, signatures, docstrings, recipes, the schema, the errors.

    python tools/make_reference.py            # fill the pages
    python tools/make_reference.py --check    # write nothing; exit code 1 where a page is out of date

A page holds sentences written by hand and, between `<!-- code: NAME -->` and `<!-- end -->`, what this script
writes there. NAME is a name out of PARTS.
"""

from __future__ import annotations

import argparse
import csv
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args, get_origin, get_type_hints

import click

import atypia
from atypia import errors
from atypia.cli.main import commands
from atypia.datasets.catalogue import DATASETS, describe
from atypia.networks.recipe import RECIPES, Recipe
from atypia.reading.folder import label_of
from atypia.reading.picture import PICTURE_SUFFIXES
from atypia.reading.row import LABELS, SPLITS
from atypia.reading.table import COLUMNS
from atypia.writing.regions import RegionsWriter
from atypia.writing.table import FindingsWriter

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
SCHEMA = ROOT / "src" / "atypia" / "evaluation" / "metrics.schema.json"
MARKED = re.compile(r"(<!-- code: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
WIDTH = 100

BESIDE = {  # what the public names take, by home
    "atypia.detectors": ("Autoencoder", "Nearest", "Detector"),
    "atypia.report.card": ("ReportCard",),
}
FOLDERS = ("Healthy", "normal", "controls", "no_tumor", "Tumor", "abnormal", "glioma", "lesions", "patient 7")


def table(head: tuple[str, ...], rows: Iterable[Iterable[object]]) -> str:
    lines = [head, ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def fenced(text: str, language: str = "text") -> str:
    return f"```{language}\n{text.rstrip()}\n```"


def quoted(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def docstring(thing: object) -> str:
    """Return a docstring as Markdown: examples fenced, everything else as it is."""
    blocks = inspect.cleandoc(getattr(thing, "__doc__", None) or "").split("\n\n")
    return "\n\n".join(fenced(block, "pycon") if block.startswith(">>>") else block for block in blocks)


def cli_commands() -> str:
    settings = commands.context_settings | {"max_content_width": WIDTH, "terminal_width": WIDTH}
    found = walk(commands, click.Context(commands, info_name="atypia", **settings))
    return "\n\n".join(f"## {at.command_path}\n\n{fenced(command.get_help(at))}" for command, at in found)


def walk(command: click.Command, at: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    yield command, at
    if isinstance(command, click.Group):
        for name in command.list_commands(at):
            below = command.get_command(at, name)
            if below and not below.hidden:
                yield from walk(below, click.Context(below, parent=at, info_name=name))


def python_public() -> str:
    names = [name for name in atypia.__all__ if not name.startswith("__")]
    return "\n\n".join(part for name in names for part in described("atypia", name))


def python_beside() -> str:
    pairs = [(home, name) for home, names in BESIDE.items() for name in names]
    return "\n\n".join(part for home, name in pairs for part in described(home, name))


def described(home: str, name: str) -> Iterator[str]:
    thing = getattr(import_module(home), name)
    yield f"## {home}.{name}"
    if not (inspect.isabstract(thing) or (inspect.isclass(thing) and issubclass(thing, Exception))):
        yield fenced(signature(thing, name), "py")
    yield docstring(thing)
    if inspect.isclass(thing):
        yield from members(thing)


def members(kind: type) -> Iterator[str]:
    for name, member in vars(kind).items():
        if name.startswith("_") or not getattr(member, "__doc__", None):
            continue
        title = f"{kind.__name__}.{name}"
        if isinstance(member, property):
            yield f"### {title}"
            yield f"Property. {docstring(member)}"
        elif isinstance(member, classmethod) or inspect.isfunction(member):
            yield f"### {title}"
            yield fenced(signature(getattr(kind, name), title), "py")
            yield docstring(getattr(kind, name))


def signature(thing: Any, name: str) -> str:
    found = inspect.signature(thing)
    words: list[str] = []
    for item in found.parameters.values():
        if item.kind is item.KEYWORD_ONLY and "*" not in words:
            words.append("*")
        if item.name != "self":
            words.append(parameter(thing, item))
    result = "" if inspect.isclass(thing) else f" -> {annotation(found.return_annotation)}"
    line = f"{name}({', '.join(words)}){result}"
    return line if len(line) <= WIDTH else f"{name}(\n" + "".join(f"    {w},\n" for w in words) + f"){result}"


def parameter(owner: Any, item: inspect.Parameter) -> str:
    text = f"{item.name}: {annotation(item.annotation)}"
    if item.default is item.empty:
        return text
    if is_dataclass(owner) and any(f.name == item.name and f.default is MISSING for f in fields(owner)):
        return f"{text} = ..."
    if isinstance(item.default, Recipe):
        return f'{text} = RECIPES["{next(name for name, r in RECIPES.items() if r == item.default)}"]'
    return f"{text} = {item.default!r}"


def annotation(noted: Any) -> str:
    return noted if isinstance(noted, str) else getattr(noted, "__name__", str(noted))


def ready_recipes() -> str:
    rows = [(f"`{name}`", *likeness(name, recipe)) for name, recipe in RECIPES.items()]
    return table(("recipe", "is", "with"), rows)


def likeness(name: str, recipe: Recipe) -> tuple[str, str]:
    """Tell a recipe by its fewest differences from the default or from the published system."""
    if recipe == Recipe():
        return "the default", ""
    bases = {base: RECIPES[base] for base in ("autoencoder", "reference") if base != name}
    told = {base: differences(recipe, other) for base, other in bases.items()}
    base = min(told, key=lambda key: len(told[key]))
    return f"`{base}`", quoted(told[base])


def differences(recipe: Recipe, base: Recipe) -> list[str]:
    pairs = [(f.name, getattr(recipe, f.name), getattr(base, f.name)) for f in fields(Recipe)]
    return [f"{name}={shown(value)}" for name, value, other in pairs if value != other]


def shown(value: object) -> str:
    """Return a value as `--set` takes it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def recipe_settings() -> str:
    """Turn the groups of Recipe's docstring, a heading above indented entries, into lists."""
    text = re.sub(r"^(\w[\w ]*)\n(?= {4})", r"**\1**\n\n", docstring(Recipe), flags=re.MULTILINE)
    text = re.sub(r"\n(?=\*\*)", "\n\n", text)
    text = re.sub(r"^ {4}(?=`\w+`[,:. ])", "- ", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"^ {4}", "  ", text, flags=re.MULTILINE))


def recipe_defaults() -> str:
    kinds = get_type_hints(Recipe)
    values = {f.name: shown(getattr(Recipe(), f.name)) or "none" for f in fields(Recipe)}
    rows = [(f"`{name}`", kind_of_setting(kinds[name]), f"`{value}`") for name, value in values.items()]
    return table(("setting", "takes", "default"), rows)


def kind_of_setting(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return quoted(get_args(kind))
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a name"}
    return words.get(kind) or ("names" if str in get_args(kind) else "whole numbers")


def metrics() -> str:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    rows = schema_rows(schema, schema["$defs"], "")
    return f"{schema['description']}\n\n{table(('field', 'type', 'meaning'), rows)}"


def schema_rows(schema: dict[str, Any], known: dict[str, Any], above: str) -> Iterator[tuple[str, str, str]]:
    for name, entry in schema.get("properties", {}).items():
        target = resolved(entry, known)
        meaning = entry.get("description", target.get("description", ""))
        yield f"`{above}{name}`", kind_of(entry, target), meaning
        yield from schema_rows(told_once(f"{above}{name}", target, known), known, f"{above}{name}.")
        if isinstance(inner := target.get("additionalProperties"), dict):
            each = resolved(inner, known)
            if "properties" in each and (not name.startswith("by_") or name == "by_kind"):
                yield f"`{above}{name}.NAME`", "object", each.get("description", "")
                yield from schema_rows(each, known, f"{above}{name}.NAME.")
            elif "properties" in each:
                yield f"`{above}{name}.NAME`", "object", "The fields of `by_kind.NAME`."


def told_once(place: str, target: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a part the fields of `image`, where it has all of them and is not `image` itself."""
    shared, own = known["image"]["properties"].keys(), target.get("properties", {})
    if place == "image" or not shared <= own.keys():
        return target
    return {"properties": {name: entry for name, entry in own.items() if name not in shared}}


def resolved(entry: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    named = [choice["$ref"] for choice in (entry, *entry.get("anyOf", [])) if "$ref" in choice]
    return known[named[0].rpartition("/")[2]] if named else entry


def kind_of(entry: dict[str, Any], target: dict[str, Any]) -> str:
    if "const" in target:
        return f"`{target['const']}`"
    if target.get("maxItems") == 2:
        return "two numbers"
    kinds = target.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    kinds += ["null"] if {"type": "null"} in entry.get("anyOf", []) else []
    return " or ".join(f"{k} in [0, 1]" if k == "number" and "maximum" in target else k for k in kinds)


def error_tree() -> str:
    tree = next(part for part in (errors.__doc__ or "").split("\n\n") if part.startswith("    "))
    return fenced(inspect.cleandoc(tree))


def table_columns() -> str:
    facts = {"Columns": COLUMNS, "Labels": LABELS, "Splits": SPLITS}
    return "\n".join(f"- {name}: {quoted(words)}." for name, words in facts.items())


def folder_words() -> str:
    words = table(("folder", "label"), [(f"`{word}`", label_of(word) or "none") for word in FOLDERS])
    return f"Suffixes: {quoted(sorted(PICTURE_SUFFIXES))}.\n\n{words}"


def finding_columns() -> str:
    with TemporaryDirectory() as folder:
        with FindingsWriter(Path(folder) / "findings.csv") as writer:
            pass
        with RegionsWriter(Path(folder) / "regions.csv") as regions:
            pass
        (columns,) = csv.reader(writer.path.read_text(encoding="utf-8").splitlines())
        (places,) = csv.reader(regions.path.read_text(encoding="utf-8").splitlines())
    return f"Columns: {quoted(columns)}.\n\nColumns of `regions.csv`: {quoted(places)}."


def public_sets() -> str:
    return "\n\n".join(f"## {name}\n\n{fenced(describe(name))}" for name in DATASETS)


PARTS: dict[str, Callable[[], str]] = {
    part.__name__: part
    for part in (
        cli_commands, python_public, python_beside, ready_recipes, recipe_settings, recipe_defaults, metrics,
        error_tree, table_columns, folder_words, finding_columns, public_sets,
    )
}  # fmt: skip


def filled(page: str) -> str:
    """Return a page with every marked part as the code has it now."""
    return MARKED.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n\n{found[3]}", page)


def out_of_date() -> dict[Path, str]:
    """Return the pages whose marked parts differ from the code, as they should be."""
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(REFERENCE.glob("*.md"))}
    renewed = {path: filled(text) for path, text in pages.items()}
    return {path: text for path, text in renewed.items() if text != pages[path]}


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--check", action="store_true", help="write nothing; tell what is out of date")
    check, stale = parser.parse_args().check, out_of_date()
    names = ", ".join(path.name for path in stale)
    if check and stale:
        sys.exit(f"Out of date: {names}. Run: python tools/make_reference.py")
    for path, text in stale.items():
        path.write_text(text, encoding="utf-8")
    print(f"written: {names}" if stale else "up to date")


if __name__ == "__main__":
    main()
