"""`sign`: a signature beside a file."""

from __future__ import annotations

from pathlib import Path

import click

from atypia.cli import options
from atypia.cli.command import Taught


@click.command(
    cls=Taught,
    short_help="Sign the file of a Screener.",
    examples=(
        "atypia keygen -o lab",
        "atypia sign brain.atypia --key lab.key",
        'atypia sign brain.atypia --key lab.key --comment "version 3, for site A"',
    ),
)
@click.argument("file", type=options.PATH)
@click.option("--key", required=True, type=options.PATH, metavar="FILE", help="The secret key, as of keygen.")
@click.option("--comment", metavar="TEXT", help="What is signed with it. Default: the time and FILE's name.")
def sign(file: Path, key: Path, comment: str | None) -> None:
    """Write FILE.minisig, which proves that FILE is the one that the owner of a key has signed.

    It is a signature as minisign writes, Ed25519 of a hash of the whole file; minisign verifies it too. Any
    file can be signed. An encrypted key asks for its password. It needs the extra 'sign'.
    """
    from atypia.signing import read_secret, sign_file
    from atypia.signing.keys import is_encrypted

    password = click.prompt("Password", hide_input=True, err=True) if is_encrypted(key) else None
    click.echo(f"signature: {sign_file(file, read_secret(key, password), comment)}")
