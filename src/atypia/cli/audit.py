"""`audit`: what is wrong with a set of scans, before anyone trains on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from atypia.cli import options
from atypia.cli.aside import tell_aside
from atypia.cli.command import Taught
from atypia.errors import BadOption
from atypia.notice import RESEARCH_USE_ONLY

if TYPE_CHECKING:
    from atypia.audit.audit import Audit
    from atypia.audit.page import Written

SKIPPABLE = ("copies", "shortcuts", "strangers")


@click.command(
    cls=Taught,
    short_help="Find copies, leaks, shortcuts and strangers in a set.",
    examples=(
        "atypia audit brain-mri/ -o out",
        "atypia audit table.csv --root images/ -o out --strict",
        "atypia audit brain-mri/ -o out --write-clean clean.csv --drop-strangers",
    ),
    glossary={
        "What it looks for": [
            ("copies", "equal pixels, and the same image saved anew, resized, cropped, brighter, turned"),
            ("leaks", "copies and groups that stand in two splits, and copies that carry two labels"),
            ("shortcuts", "what tells the classes, or the splits, apart without a look at the brain"),
            ("strangers", "what is no brain MRI, is turned, or is labelled normal and unlike the others"),
        ],
        "What it writes": [
            ("audit.html", "one page with the verdicts, the figures, and pictures side by side"),
            ("audit.json", "the same as numbers and names, all of them"),
        ],
    },
)
@click.argument("scans", type=options.PATH)
@options.out("FOLDER", "Folder for the page.")
@options.root
@click.option(
    "--strict", is_flag=True, help="Exit with code 1 where something would invalidate an evaluation."
)
@click.option(
    "--write-clean",
    "clean_table",
    type=options.PATH,
    metavar="FILE",
    help="Also write a table, .csv or .parquet, with one image of each cluster of copies, and with splits "
    "that no group crosses.",
)
@click.option("--drop-strangers", is_flag=True, help="Leave the strangers out of that table.")
@click.option(
    "--skip",
    type=click.Choice(SKIPPABLE),
    multiple=True,
    help="Leave a part out; may be given several times.",
)
@click.option("--title", metavar="TEXT", help="Title of the page. Default: the name of the set.")
@options.planes("that of each volume's acquisition.")
@options.seed
def audit(
    scans: Path,
    out: Path,
    root: Path | None,
    strict: bool,
    clean_table: Path | None,
    drop_strangers: bool,
    skip: tuple[str, ...],
    title: str | None,
    planes: tuple[str, ...],
    seed: int,
) -> None:
    """Say what is wrong with a set of scans before anyone trains on it, or believes a figure.

    SCANS is a folder, perhaps with class folders, or a table. Every file is read; nothing in the set is
    changed. The exit code is 1 where some file could not be read and, with --strict, where something would
    invalidate an evaluation.
    """
    from atypia.audit import audit_collection
    from atypia.audit.page import write_audit
    from atypia.destination import claim_file, claim_folder
    from atypia.reading.collection import read_collection
    from atypia.reading.cutting import Cutting

    _check(clean_table, drop_strangers, skip)
    collection = read_collection(scans, root=root, cutting=Cutting(planes))
    tell_aside(collection)
    claim_folder(out)
    if clean_table is not None:
        claim_file(clean_table)
    found = audit_collection(collection, skip=skip, seed=seed)
    written = write_audit(
        found, out, title=title or f"Audit of {scans.absolute().name}", command=options.command_line()
    )
    _tell(written)
    if clean_table is not None:
        _write_clean(found, clean_table, drop_strangers, seed)
    click.echo(RESEARCH_USE_ONLY)
    click.get_current_context().exit(1 if found.errors or (strict and written.invalid) else 0)


def _check(clean_table: Path | None, drop_strangers: bool, skip: tuple[str, ...]) -> None:
    if drop_strangers and clean_table is None:
        raise BadOption("--drop-strangers: expected --write-clean FILE beside it: it is about that table.")
    if drop_strangers and "strangers" in skip:
        raise BadOption("--drop-strangers: expected strangers to be looked for, received --skip strangers.")


def _tell(written: Written) -> None:
    for verdict in written.verdicts:
        click.echo(f"{verdict.severity.value:8} {verdict.title}")
    click.echo(f"page: {written.page}")


def _write_clean(found: Audit, table: Path, drop_strangers: bool, seed: int) -> None:
    from atypia.audit.cleaning import clean
    from atypia.reading.collection import write_collection

    cleaned = clean(found, drop_strangers=drop_strangers, seed=seed)
    if not len(cleaned.collection):
        click.echo("no image is left for a cleaned table: none was written", err=True)
        return
    write_collection(cleaned.collection, table)
    left_out = [
        f"{count:,} {what}"
        for what, count in (
            ("copies", cleaned.copies),
            ("with two labels", cleaned.conflicts),
            ("strangers", cleaned.strangers),
            ("unreadable", cleaned.unreadable),
        )
        if count
    ]
    click.echo(f"cleaned table: {table}, {len(cleaned.collection):,} scans")
    if left_out:
        click.echo(f"left out: {', '.join(left_out)}")
    if cleaned.note:
        click.echo(cleaned.note, err=True)
