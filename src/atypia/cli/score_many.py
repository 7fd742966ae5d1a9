"""`score` beyond one machine: its plan before it is run, and what came of a cluster's job."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atypia.errors import BadOption
from atypia.notice import RESEARCH_USE_ONLY
from atypia.remote import address, is_remote

if TYPE_CHECKING:
    from atypia.cluster import PartsTally, Workers
    from atypia.reading.collection import Collection
    from atypia.screener import Screener


_TITLES = {"volume_regions": "regions of volumes"}


@dataclass(frozen=True)
class Cost:
    """What `--dry-run` is asked: the scans of a shard, the size of the Screener's file, the price.

    `threads` and `processes` are those of this machine.
    """

    shard: int | None
    model_bytes: int
    price: float | None
    threads: int | None = None
    processes: int | None = None


def check_outputs(
    workers: Workers | None, out: Path, kind: str | None, *, heatmaps: bool, results: str | None
) -> None:
    """Raise BadOption for what only the other engine can write; `kind` is the tables', where it was told."""
    if workers is None:
        if is_remote(out):
            raise BadOption(
                f"Expected a folder of this machine with -o, received {address(out)}. Only --engine ray "
                "writes to an object store."
            )
        return
    asked = {
        "--heatmaps": heatmaps,
        "--results": results is not None,
        f"--format {kind}": kind not in (None, "parquet"),
    }
    refused = [name for name, given in asked.items() if given]
    if refused:
        raise BadOption(
            f"Expected no {', '.join(refused)} beside --engine ray, which writes partitioned Parquet tables "
            "alone. Judge those few scans that are to be looked at without it."
        )


def check_processes(workers: Workers | None, threads: int | None, processes: int | None) -> None:
    """Raise BadOption for processes of this machine that a cluster has none of, or that are too many."""
    if processes is None:
        return
    if workers is not None:
        raise BadOption(
            "Expected no --processes beside --engine ray: say with --workers how many there are to be."
        )
    if threads is not None and processes > threads:
        raise BadOption(
            f"Expected at least as many threads as processes, received --threads {threads} beside "
            f"--processes {processes}. Give fewer processes, or more threads."
        )


def demand_scans_reachable(scans: Collection) -> None:
    """Raise StoreFailed where scans lie in an object store that cannot be reached at all."""
    from atypia.remote import demand_reachable

    demand_reachable([row.path for row in scans if is_remote(row.path)])


def tell_plan(screener: Screener, scans: Collection, workers: Workers | None, cost: Cost) -> None:
    """Say what a job would do and what it would take, measured on a few of its scans."""
    from atypia.screening.estimate import measured_rate
    from atypia.screening.plan import shards_of, usual_size
    from atypia.screening.sharing import threads_of_each

    shards, volumes = shards_of(scans.rows, cost.shard)
    rate = measured_rate(screener, scans.rows, maps=volumes > 0)
    seconds, told = rate.seconds, "this process"
    if workers is not None:
        count = _count(workers, len(shards))
        seconds, told = rate.seconds / max(count, 1), f"{count} of {workers.size}"
    elif each := threads_of_each(cost.processes, cost.threads, shards):
        # A thread more in the same process takes the interpreter from the first: so cores, not the clock.
        seconds, told = rate.core_seconds / len(each), f"{len(each)} processes of this machine"
    hours = rate.core_seconds * len(scans) / 3600
    lines = {
        "scans": f"{len(scans)}, slices of {volumes} volumes among them" if volumes else f"{len(scans)}",
        "shards": f"{len(shards)} of {cost.shard or usual_size(len(scans))} scans",
        "workers": told,
        "Screener": f"{cost.model_bytes / 2**20:.1f} MB, sent to each node once",
        "measured here": f"{rate.core_seconds:.3g} core-seconds a scan, {rate.seconds:.3g} s by the clock "
        f"({rate.tried} scans)",
        "core-hours": f"{hours:.3g}",
        "time": _duration(seconds * len(scans)),
    }
    if workers is None:
        lines.pop("Screener")
    if cost.price is not None:
        lines["price"] = f"{hours * cost.price:.3g}"
    for name, value in lines.items():
        click.echo(f"{name + ':':<15}{value}")
    click.echo("nothing was written: without --dry-run the job is run", err=True)


def _count(workers: Workers, shards: int) -> int:
    if workers.count is not None:
        return min(workers.count, shards)
    from atypia.cluster.connection import joined

    with joined(workers) as cluster:
        return min(cluster.room_for(workers), shards)


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"about {seconds / size:.1f} {unit}"
    return f"about {seconds:.1f} seconds"


def tell_parts(tally: PartsTally) -> int:
    """Say what came of a cluster's job, and return the exit code."""
    numbers = tally.numbers
    if tally.kept:
        click.echo(f"went on where it was interrupted: {tally.kept} scans were done before", err=True)
    if tally.lost:
        click.echo(f"{tally.lost} workers died; what they were at was judged by others", err=True)
    judged = numbers["judged"]
    click.echo(f"{judged} {'scan' if judged == 1 else 'scans'} judged, {numbers['flagged']} abnormal")
    for name, place in tally.tables.items():
        click.echo(f"{_TITLES.get(name, name)}: {address(place)}")
    if numbers["unfit"]:
        click.echo(f"{numbers['unfit']} unfit to be judged: see the column unfit", err=True)
    if numbers["unreadable"]:
        click.echo(f"{numbers['unreadable']} could not be judged: see the column error", err=True)
    click.echo(RESEARCH_USE_ONLY)
    return 1 if numbers["unreadable"] or numbers["unfit"] else 0
