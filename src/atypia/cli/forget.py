"""`forget`: studies and jobs of the reading room, with all that derives from them."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from atypia.cli.command import Taught
from atypia.cli.reading_room import of_a_server, opened
from atypia.destination import held
from atypia.errors import BadOption, OutputError

if TYPE_CHECKING:
    from atypia.service.forgetting import Amount, Chosen
    from atypia.service.home import Home
    from atypia.service.store.database import Store

LONGEST = 100_000


@click.command(
    cls=Taught,
    short_help="Delete studies from the reading room, wholly.",
    examples=(
        "atypia forget 7d1f0c5be2a94c7c8d0f3a6b1e2c4d58",
        "atypia forget 7d1f0c5be2a94c7c8d0f3a6b1e2c4d58 --yes",
        "atypia forget 1.2.840.113619.2.5.1762583153 --yes --data /srv/atypia",
        "atypia forget --older-than 90 --yes",
    ),
    glossary={
        "What names a study": [
            ("32 digits and letters", "a study, a job or a finding, as the page and the API call them"),
            (
                "64 digits and letters",
                "the SHA-256 of an uploaded file, or the keyed hash that stands for the study",
            ),
            ("numbers and dots", "a Study Instance UID, which is not kept: its keyed hash is looked for"),
        ],
        "What is deleted": [
            ("of a study", "its instances, and all jobs that judged it"),
            (
                "of a job",
                "its findings with all their files, feedback, and uploads that no other job needs",
            ),
            ("what stays", "the audit log, which tells that something was deleted, and not of whom"),
        ],
    },
)
@click.argument("what", nargs=-1, metavar="[STUDY]...")
@click.option(
    "--older-than",
    type=click.FloatRange(0, LONGEST, min_open=True),
    metavar="DAYS",
    help="All of which nothing came, and that has ended, for so long.",
)
@click.option("--yes", is_flag=True, help="Do it. Without, say what would be deleted.")
@of_a_server
def forget(what: tuple[str, ...], older_than: float | None, yes: bool, **server: Any) -> None:
    """Delete studies and jobs from the data of 'atypia serve', with all that derives from them.

    Without --yes nothing is deleted. It works while the server runs: what is being judged is cancelled. The
    database is written anew afterwards, so that no byte of what was deleted is left in it; that takes as much
    room again. Backups, and what was sent to peers, are yours to look after.
    """
    if not what and older_than is None:
        raise BadOption("Expected a STUDY to forget, or --older-than DAYS; received neither.")
    if older_than is not None and not older_than > 0:
        raise BadOption(f"--older-than: expected a number of days above 0, received {older_than}.")
    with opened(**server) as (store, home):
        chosen = _chosen(store, home, what, older_than)
        if not yes:
            _tell_plan(store, chosen)
            return
        # Where SQLite puts what it writes anew, rather than in a folder of all users.
        os.environ["SQLITE_TMPDIR"] = str(home.tmp)
        _forget(store, home, chosen)


def _chosen(store: Store, home: Home, what: tuple[str, ...], older_than: float | None) -> Chosen:
    from atypia.service.forgetting import Chosen, named, older

    chosen = Chosen()
    with store.session() as session:
        for word in what:
            found = named(session, home, word.strip().lower())
            if not found:
                raise BadOption(f"{word}: expected a study, job or finding; nothing is so called.")
            chosen |= found
        if older_than is not None:
            chosen |= older(session, older_than)
    return chosen


def _tell_plan(store: Store, chosen: Chosen) -> None:
    from atypia.service.forgetting import amount_of, told_amount

    with store.session() as session:
        amount = amount_of(session, chosen)
    click.echo(f"would delete: {told_amount(amount)}")
    _tell_rest(amount)
    if chosen:
        click.echo("Nothing is deleted yet: say it again with --yes.")


def _forget(store: Store, home: Home, chosen: Chosen) -> None:
    from atypia.service.forgetting import forget, told_amount

    amount = forget(store, home, chosen, "command line", "admin")
    click.echo(f"deleted: {told_amount(amount)}")
    _tell_rest(amount)
    _sweep(store, home)
    if not store.compact():
        click.echo(
            "The server was busy: bytes of it may be left in its database until it rests. Do it again then.",
            err=True,
        )


def _tell_rest(amount: Amount) -> None:
    if amount.sent:
        click.echo(f"{amount.sent} results were sent to peers, and stay there.", err=True)
    if amount.elsewhere:
        click.echo("Scans of jobs by path stay where they lie, outside of the data folder.", err=True)


def _sweep(store: Store, home: Home) -> None:
    """Remove what an interrupted server left behind, where none is at work that may need it."""
    from atypia.service.settings import Settings
    from atypia.service.work.order import clear_away

    if store.dialect != "sqlite":
        return
    with ExitStack() as stack:
        try:
            stack.enter_context(held(home.path))
        except OutputError:  # a server has it
            return
        clear_away(Settings(home.path), store, home, 0.0)
