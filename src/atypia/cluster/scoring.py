"""Judging many scans on a cluster, into partitioned tables, so that what is done is never done again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from atypia.cluster.connection import Cluster, joined
from atypia.cluster.parts import Parts
from atypia.cluster.place import held_place
from atypia.cluster.pool import Pool
from atypia.cluster.settings import Workers
from atypia.errors import ArtefactError, AtypiaError, ClusterFailed
from atypia.onnx_session import CPU, CUDA
from atypia.progress import progress
from atypia.reading.collection import Collection, Row
from atypia.remote import is_remote
from atypia.screening.job import Job, Keeping, job_of
from atypia.screening.order import Order
from atypia.screening.plan import Shard, shards_of, usual_size
from atypia.screening.tally import Counts
from atypia.volume_finding import Maker


@dataclass(frozen=True)
class PartsTally:
    """What came of a job on a cluster; `lost` workers died on the way. `kept` scans were done before.

    `tables` are the folders, or prefixes, of the partitioned tables.
    """

    numbers: dict[str, int]
    tables: dict[str, Path]
    kept: int
    workers: int
    lost: int


def score_to_parts(
    model: Path,
    maker: Maker,
    scans: Collection,
    out: Path,
    workers: Workers,
    keeping: Keeping,
    *,
    judge_all: bool = False,
    keep_identifiers: bool = False,
) -> PartsTally:
    """Judge scans with the Screener in the file `model` on a Ray cluster; raise OutputError.

    `out` is a folder, or a prefix in an object store. It gets `findings/part-000000.parquet` and so on, a
    part for each shard of scans, `regions` likewise, and where there are volumes `volumes`
    and `volume_regions`. Rows and scores are those of `score_to_folder` with the same shards, on the same
    kind of machine with as many threads as a worker has: the same code judges the same batches.

    A worker or node that dies costs its shards a retry. A shard is there whole or not at all, and after an
    interruption the same call goes on with those that are missing. Raises OutputError where another job holds
    `out` or left results there, ArtefactError where the Screener's file became another, ClusterFailed where
    the cluster cannot be reached, has no room or is gone, StoreFailed where an object store fails.
    """
    content = _content(model, maker)
    shards, volumes = shards_of(scans.rows, keeping.shard)
    device = CUDA if workers.gpus else CPU
    order = Order(
        maker, str(maker.sha256), judge_all, keep_identifiers, volumes > 0, workers.threads_each, device
    )
    options: Job = {
        "the Screener's name": maker.name,
        "--judge-all": judge_all,
        "--keep-identifiers": keep_identifiers,
        "the threads of a worker": order.threads,
        "--shard": keeping.shard or usual_size(len(scans)),
    }
    job = {**job_of(scans, maker.sha256, options), "the device": device}
    with joined(workers) as cluster, held_place(out) as place:
        parts = Parts(place, job, scans.rows, shards, anew=keeping.anew)
        kept = len(scans) - sum(map(len, parts.left))
        count = _count(cluster, workers, len(parts.left)) if parts.left else 0
        pool = Pool(cluster, workers, count, content, order, lambda shard: _rows(scans.rows, shard))
        counts = _all_judged(parts, pool, len(scans), keeping, maker)
    tables = ("findings", "regions", *(("volumes", "volume_regions") if volumes else ()))
    return PartsTally(counts.numbers, {name: out / name for name in tables}, kept, count, pool.lost)


def _all_judged(parts: Parts, pool: Pool, scans: int, keeping: Keeping, maker: Maker) -> Counts:
    """Have the shards that are left judged, keep what comes of them, and return the counts of all."""
    left = sum(map(len, parts.left))
    ticks = progress(range(left), total=scans, label="scoring", done=scans - left)
    try:
        for shard, judged in pool.judged(parts.left):
            parts.keep(shard, judged.tables, Counts.from_dict(judged.counts))
            if keeping.watched is not None:
                keeping.watched.demand_same(maker.sha256)
            for _ in range(len(shard)):
                next(ticks, None)
        return parts.finish()
    except (AtypiaError, KeyboardInterrupt, MemoryError, OSError) as error:
        if parts.done:
            error.add_note(parts.told)
        raise


def _count(cluster: Cluster, workers: Workers, shards: int) -> int:
    """Return how many workers to start: no more than there are shards."""
    wanted = workers.count or cluster.room_for(workers)
    if not wanted:
        raise ClusterFailed(
            f"Expected a cluster with room for a worker of {workers.size}, received one without. Ask for "
            "less with --cpus-per-worker and --gpus-per-worker, or say with --workers how many there will be "
            "once it has grown."
        )
    return min(wanted, shards)


def _rows(rows: Sequence[Row], shard: Shard) -> list[Row]:
    """Return the rows of a shard, with paths that do not depend on where a command was given."""
    return [
        row if is_remote(row.path) or row.path.is_absolute() else replace(row, path=row.path.absolute())
        for row in rows[shard.start : shard.stop]
    ]


def _content(model: Path, maker: Maker) -> bytes:
    try:
        content = model.read_bytes()
    except OSError as error:
        raise ArtefactError(
            f"{model}: expected the Screener, received: {error.strerror or error}."
        ) from error
    if hashlib.sha256(content).hexdigest() != maker.sha256:
        raise ArtefactError(
            f"{model}: expected the Screener that was loaded, received another file in its place. Run the "
            "command again."
        )
    return content
