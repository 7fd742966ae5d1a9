"""`fit --sweep`: many Screeners by one recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from atypia.cli.command import Taught
from atypia.cli.engine import workers_of
from atypia.errors import BadOption
from atypia.notice import RESEARCH_USE_ONLY

_OWN = ("sweep", "engine", "address", "workers", "cpus_per_worker", "gpus_per_worker", "threads")

option = click.option(
    "--sweep",
    type=click.Path(path_type=Path),
    metavar="RECIPE",
    help="In place of SCANS and -o, fit the Screeners of a TOML file: a table [[fit]] for each, with scans, "
    "out and any of these options by name, and [defaults] for all. What is there is not fitted again.",
)


class OneOrMany(Taught):
    """The command `fit`: SCANS and -o are required where there is no --sweep."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words; raise MissingParameter where one is missing."""
        rest = super().parse_args(ctx, args)
        for param in self.params:
            if param.name in ("scans", "out") and not (ctx.params["sweep"] or ctx.params[param.name]):
                raise click.MissingParameter(ctx=ctx, param=param)
        return rest


def fit_all(context: click.Context, sweep: Path, threads: int | None, **cluster: Any) -> int:
    """Fit what the recipe asks for, say what came of each, and return the exit code; raise BadOption."""
    from atypia.cluster.sweep import read_sweep, run_sweep

    names = {param.name: param.opts[0] for param in context.command.params}
    typed = [
        names[name]
        for name in context.params
        if name not in _OWN and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if typed:
        raise BadOption(
            f"Expected nothing beside --sweep but where to fit, received {', '.join(sorted(typed))}. Write "
            f"it in {sweep}, in [defaults] or in a table [[fit]]."
        )
    code = failed = 0
    fits = read_sweep(sweep)
    for fitted in run_sweep(fits, sweep.parent, workers_of(threads=threads, **cluster), threads):
        if fitted.failed:
            failed += 1
            code = code or fitted.code or 0
            click.echo(f"failed {fitted.fit.out}: {fitted.told}", err=True)
        elif fitted.code is None:
            click.echo(f"there {fitted.fit.out}")
        else:
            code = code or fitted.code
            click.echo(f"saved {fitted.fit.out}")
    if failed:
        click.echo(f"{failed} of {len(fits)} failed: the same command fits those alone", err=True)
    click.echo(RESEARCH_USE_ONLY)
    return code


def refuse_cluster(**cluster: Any) -> None:
    """Raise BadOption where one Screener alone is to be fitted on a cluster."""
    if workers_of(threads=None, **cluster) is not None:
        raise BadOption("Expected --sweep beside --engine ray: one Screener is fitted on one machine.")
