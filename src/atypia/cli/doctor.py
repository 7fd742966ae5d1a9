"""`doctor`: whether an installation works."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from atypia.cli import options
from atypia.cli.command import Taught


@click.command(
    cls=Taught,
    short_help="Check the installation, end to end.",
    examples=("atypia doctor", "atypia doctor brain.atypia", "atypia doctor --json"),
    glossary={
        "What a line begins with": [
            ("ok", "it is as it should be"),
            ("note", "works, but you may want to know, or something optional is missing"),
            ("problem", "does not work as it should; the line says what to do"),
        ]
    },
)
@click.argument("file", required=False, type=options.PATH, metavar="[MODEL]")
@options.out("FOLDER", "Also check that results can be written there.", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def doctor(file: Path | None, out: Path | None, as_json: bool) -> None:
    """Check that Atypia works here: versions, weights, runtimes, a Screener's scores and promise, speed.

    MODEL is what 'atypia fit' saved; without it the Screener that comes with Atypia is examined. It takes
    less than a minute, reads no scans, and needs no network. The exit code is 1 where there is a problem.
    """
    from atypia.doctor import PROBLEM, examine

    checks = []
    for check in examine(file, out):
        checks.append(check)
        if not as_json:
            click.echo(f"{check.state:8} {check.name}: {check.told}")
    problems = sum(check.state == PROBLEM for check in checks)
    if as_json:
        told = {"problems": problems, "checks": [asdict(check) for check in checks]}
        click.echo(json.dumps(told, indent=1))
    else:
        click.echo("all is well" if not problems else f"{problems} to be looked at")
    click.get_current_context().exit(1 if problems else 0)
