"""`keygen`: a pair of keys to sign with."""

from __future__ import annotations

from pathlib import Path

import click

from atypia.cli import options
from atypia.cli.command import Taught

SUFFIXES = (".key", ".pub")


@click.command(
    cls=Taught,
    short_help="Make a pair of keys to sign Screeners with.",
    examples=("atypia keygen -o lab", "atypia keygen -o nightly --no-password"),
)
@options.out("NAME", "Writes NAME.key, which is secret, and NAME.pub, for everyone.", default="atypia")
@click.option(
    "--no-password",
    is_flag=True,
    help="Do not ask for a password: who can read NAME.key can sign. For machines that sign alone.",
)
def keygen(out: Path, no_password: bool) -> None:
    """Make a pair of Ed25519 keys, in the files of minisign, which can use them too.

    NAME.key may be read by its owner alone, and is encrypted by a password unless told otherwise. Keep it: a
    lost key cannot be had again. Give NAME.pub to those who verify, by a way that they trust. It needs the
    extra 'sign'.
    """
    from atypia.signing import new_key, write_keys

    key = new_key()
    password = None if no_password else click.prompt("Password", hide_input=True, confirmation_prompt=True)
    secret, public = (out.with_name(out.name + suffix) for suffix in SUFFIXES)
    write_keys(key, secret, public, password)
    click.echo(f"secret: {secret}\npublic: {public}, number {key.public.number}\n{key.public.line}")
    if no_password:
        click.echo(f"{secret} has no password: who can read it can sign.", err=True)
