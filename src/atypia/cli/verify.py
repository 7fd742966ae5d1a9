"""`verify`: who signed a file."""

from __future__ import annotations

from pathlib import Path

import click

from atypia.cli import options
from atypia.cli.command import Taught


@click.command(
    cls=Taught,
    short_help="Verify the signature of a Screener.",
    examples=(
        "atypia verify brain.atypia --key lab.pub",
        "atypia verify brain.atypia --key lab.pub --signature from-elsewhere.minisig",
        "atypia score brain.atypia scans/ -o out --require-signature lab.pub",
    ),
)
@click.argument("file", type=options.PATH)
@click.option("--key", required=True, type=options.PATH, metavar="FILE", help="The public key of who signed.")
@click.option("--signature", type=options.PATH, metavar="FILE", help="Default: FILE.minisig beside it.")
def verify(file: Path, key: Path, signature: Path | None) -> None:
    """Tell whether FILE is the one that the owner of a key has signed, with 'atypia sign' or minisign.

    The exit code is 3 where it is not. It needs the extra 'sign'.
    """
    from atypia.signing import demand_signature, read_public

    public = read_public(key)
    comment = demand_signature(file, public, signature)
    click.echo(f"{file}: signed by the key {public.number}\n{comment}")
