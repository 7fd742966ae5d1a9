"""`tokens`: who may use a server of the reading room."""

from __future__ import annotations

from typing import Any

import click

from atypia.cli.command import Taught, TaughtGroup
from atypia.cli.reading_room import of_a_server, opened
from atypia.errors import BadOption

ROLES = ("viewer", "reader", "admin")
_MEANINGS = {
    "Roles": [
        ("viewer", "sees findings"),
        ("reader", "also uploads, reviews, and says what a scan really is"),
        ("admin", "also changes Screeners and thresholds, deletes, makes tokens, and reads the audit log"),
    ]
}


@click.group(
    cls=TaughtGroup,
    short_help="Make, list and revoke tokens of the reading room.",
    examples=(
        "atypia tokens add alice --role admin",
        "atypia tokens list",
        "atypia tokens revoke alice",
    ),
    glossary=_MEANINGS,
)
def tokens() -> None:
    """Make, list and revoke the tokens that programs and people show to 'atypia serve'.

    From the first token on, everybody has to show one, on this machine too. It works while the server runs.
    """


@tokens.command(
    cls=Taught,
    short_help="Make a token, and show it once.",
    examples=(
        "atypia tokens add alice --role admin",
        "atypia tokens add nightly --role reader --days 90 --data /srv/atypia",
    ),
    glossary=_MEANINGS,
)
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="reader", help="What it allows.")
@click.option("--days", type=float, metavar="N", help="How long it is valid. Default: until it is revoked.")
@of_a_server
def add(name: str, role: str, days: float | None, **server: Any) -> None:
    """Make a token called NAME, and show it: this once, for only its hash is kept.

    The token alone goes to standard output, all else to standard error.
    """
    with opened(**server, making=True) as (store, _home):
        from atypia.service.access.tokens import add as make

        with store.write() as session:
            row, secret = make(session, name, role, days)
            _note(session, "token.create", row.id)
        until = "until it is revoked" if row.expires is None else f"until {row.expires:%Y-%m-%d %H:%M} UTC"
    click.echo(f"{row.name}, {row.role}, valid {until}. It is shown this once:", err=True)
    click.echo(secret)


@tokens.command(
    "list",
    cls=Taught,
    short_help="List all tokens that were ever made.",
    examples=("atypia tokens list", "atypia tokens list --data /srv/atypia"),
)
@of_a_server
def list_all(**server: Any) -> None:
    """List all tokens that were ever made, the newest first; none of them shows itself."""
    with opened(**server, making=True) as (store, _home):
        from atypia.service.access.tokens import listed
        from atypia.service.store.models import now

        with store.session() as session:
            rows = listed(session)
        for row in rows:
            over = row.expires is not None and row.expires <= now()
            state = "revoked" if row.revoked else "over" if over else "valid"
            used = "never used" if row.last_used is None else f"used {row.last_used:%Y-%m-%d %H:%M}"
            until = "" if row.expires is None else f", until {row.expires:%Y-%m-%d %H:%M}"
            made = f"made {row.created:%Y-%m-%d}"
            click.echo(f"{row.id}  {row.name}: {row.role}, {state}{until}, {made}, {used}")
    if not rows:
        click.echo("No tokens: on loopback everyone may do everything. Make one with: atypia tokens add NAME")


@tokens.command(
    cls=Taught,
    short_help="Revoke a token, at once.",
    examples=("atypia tokens revoke alice",),
)
@click.argument("which", metavar="NAME_OR_ID")
@of_a_server
def revoke(which: str, **server: Any) -> None:
    """Revoke a token, and end the logins that it gave, at once."""
    with opened(**server, making=True) as (store, _home):
        from atypia.service.access.tokens import revoke as end

        with store.write() as session:
            row = end(session, which)
            if row is not None:
                _note(session, "token.revoke", row.id)
    if row is None:
        raise BadOption(
            f"{which}: expected the id of a token, or the name of a valid one: see 'atypia tokens list'."
        )
    click.echo(f"{row.name} is revoked.")


def _note(session: Any, action: str, subject: str) -> None:
    from atypia.service.access.audit import record

    record(session, "command line", "admin", action, subject, details={"kind": "command line"})
