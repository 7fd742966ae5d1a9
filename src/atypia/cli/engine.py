"""The options that say where work is done: on this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from atypia.errors import BadOption

if TYPE_CHECKING:
    from atypia.cluster import Workers

Command = TypeVar("Command", bound=Callable[..., Any])

LOCAL, RAY = "local", "ray"
ENGINE = ("engine", "address", "workers", "cpus_per_worker", "gpus_per_worker")
"""The names of these options."""


def engine(what: str) -> Callable[[Command], Command]:
    """Return the options that name a cluster and its workers; `what` a worker does."""
    added = (
        click.option(
            "--engine",
            type=click.Choice((LOCAL, RAY)),
            default=LOCAL,
            help="Where the work is done: on this machine, or by workers on a Ray cluster, which needs the "
            "extra 'ray'.",
        ),
        click.option(
            "--address",
            metavar="HOST:PORT",
            help="The head of the Ray cluster. Default: what RAY_ADDRESS says, else Ray is started here.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(1),
            metavar="N",
            help=f"Workers on the cluster, each of which {what}. Default: as many as it has room for.",
        ),
        click.option(
            "--cpus-per-worker",
            type=click.IntRange(1),
            metavar="N",
            default=1,
            help="Cores that each worker gets on the cluster, and threads that it uses.",
        ),
        click.option(
            "--gpus-per-worker",
            type=click.FloatRange(0),
            metavar="X",
            default=0.0,
            help="GPUs that each worker gets on the cluster; 0.25 lets four share one. 0: it uses none.",
        ),
    )

    def add(command: Command) -> Command:
        for option in reversed(added):
            command = option(command)
        return command

    return add


def workers_of(
    engine: str,
    address: str | None,
    workers: int | None,
    cpus_per_worker: int,
    gpus_per_worker: float,
    threads: int | None,
) -> Workers | None:
    """Return the workers that options ask for, None for this machine alone; raise BadOption."""
    if engine == RAY:
        from atypia.cluster import Workers

        return Workers(address, workers, cpus_per_worker, gpus_per_worker, threads)
    cpus = None if cpus_per_worker == 1 else cpus_per_worker
    named: dict[str, object] = {"--address": address, "--workers": workers, "--cpus-per-worker": cpus}
    named["--gpus-per-worker"] = gpus_per_worker or None
    given = [name for name, value in named.items() if value is not None]
    if given:
        raise BadOption(f"Expected --engine ray beside {', '.join(given)}; received --engine {engine}.")
    return None
