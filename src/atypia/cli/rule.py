"""The options that say how a threshold follows from healthy scores."""

from __future__ import annotations

from collections.abc import Callable

import click

from atypia.cli.options import Command
from atypia.errors import BadOption

RULES = ("mean+std", "quantile", "conformal")
STRATA = ("plane", "sequence", "scanner")
NONE = "none"


def strata(help: str, default: str | None = None) -> Callable[[Command], Command]:
    """Return the option --strata, whose value is a tuple of columns; 'none' is an empty one."""
    return click.option(
        "--strata", callback=_columns, metavar="COLUMNS", default=default, help=help, show_default=False
    )


def _columns(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = tuple(name.strip().lower() for name in value.split(",") if name.strip())
    if names in ((), (NONE,)):
        return ()
    if len(set(names)) < len(names) or not set(names) <= set(STRATA):
        expected = f"expected {NONE}, or some of {', '.join(STRATA)} with commas between them"
        raise click.BadParameter(f"{expected}, received {value!r}.", context, parameter)
    return names


def parameter_of(rule: str, parameter: float | None, fpr: float | None) -> float | None:
    """Return the parameter that --parameter or --fpr give a rule; raise BadOption where they contradict."""
    if fpr is None:
        return parameter
    if parameter is not None:
        raise BadOption("--fpr and --parameter say the same of a rule: leave one of them out.")
    if rule == "mean+std":
        raise BadOption(
            "--fpr: the rule mean+std knows no false-alarm rate. Add --rule conformal, which keeps it, "
            "or --rule quantile."
        )
    return fpr if rule == "conformal" else 1 - fpr
