"""The group of commands, and how an error becomes one clear line and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from atypia.cli import data, judge, learn, show
from atypia.errors import AtypiaError
from atypia.notice import RESEARCH_USE_ONLY

HELP = f"""Find abnormal brain MRI scans without labels.

Atypia learns from healthy scans alone, scores how far a new scan departs from them, shows where, and
decides with a threshold calibrated on healthy scans that it has not seen.

\b
Start here:
  atypia demo                              learn, judge and report on embedded synthetic data
  atypia fit HEALTHY -o brain.atypia       learn from a folder of your own healthy scans
  atypia score brain.atypia SCANS -o out   judge scans: out/findings.csv
  atypia evaluate brain.atypia TABLE -o out  measure on labelled scans: out/report.html

\b
Exit codes: 0 all went well; 1 done, but some scans could not be judged; 2 wrong input or options;
3 unusable Screener file; 4 weights or an optional part are missing; 5 training diverged;
6 a result could not be written; 130 interrupted.

{RESEARCH_USE_ONLY}
"""


class Commands(click.Group):
    """The group, with errors of ours told in one line and given their exit code."""

    def invoke(self, context: click.Context) -> Any:
        """Run a command; an AtypiaError ends the program with its message and code."""
        try:
            return super().invoke(context)
        except AtypiaError as error:
            click.echo(f"atypia: {error}", err=True)
            context.exit(error.exit_code)
        except BrokenPipeError:
            sys.stderr.close()
            context.exit(0)

    def list_commands(self, context: click.Context) -> list[str]:
        """Keep the order in which one meets the commands."""
        del context
        return list(self.commands)


@click.group(
    cls=Commands,
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="atypia", message="atypia %(version)s")
def commands() -> None:
    """Hold the commands."""


for command in (
    show.demo,
    learn.fit,
    judge.score,
    judge.evaluate,
    show.info,
    data.phantom,
    data.split,
    data.datasets,
    learn.reproduce,
):
    commands.add_command(command)


def main(arguments: Sequence[str] | None = None, **options: Any) -> Any:
    """Run the command line; `options` go to click, as `standalone_mode=False` in tests."""
    return commands.main(
        args=list(arguments) if arguments is not None else None, prog_name="atypia", **options
    )
