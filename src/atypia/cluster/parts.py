"""What is done of a cluster's job: partitioned Parquet tables, and beside them which parts are whole.

    OUT/findings/part-000007.parquet     one part for each shard; the same of regions and of volumes
    OUT/_atypia/job.json                 which job they are of
    OUT/_atypia/shard-000007.json        written last: that shard is done; the sizes of its parts, its counts
    OUT/_atypia/done.json                all shards are done; what came of them

Only the process that hands out shards writes here, and a part has one name: so nothing can be there twice,
however often a shard is judged. Whoever reads the tables passes over names that begin with `_`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from atypia.cluster.place import LOCK, Place
from atypia.errors import OutputError
from atypia.reading.row import Row
from atypia.remote import address
from atypia.screening.job import Job, differences, sources_of
from atypia.screening.of_shard import TABLES
from atypia.screening.plan import Shard
from atypia.screening.tally import Counts, total

_JOB, _DONE = "_atypia/job.json", "_atypia/done.json"


class Parts:
    """The parts of a job in a place that this process holds.

    `done` tells what came of the shards that an earlier run of the same job finished, by their numbers; with
    `anew` they are removed. Raises OutputError where the results of another job are there.
    """

    def __init__(
        self, place: Place, job: Job, rows: Sequence[Row], shards: Sequence[Shard], *, anew: bool
    ) -> None:
        self._place, self._rows, self._shards = place, rows, shards
        self.done: dict[int, Counts] = {}
        sizes = {name: size for name, size in place.sizes().items() if name != LOCK}
        if anew:
            place.remove([name for name in sorted(sizes) if _ours(name)])
            sizes = {}
        self._take_up(job, sizes)

    @property
    def left(self) -> list[Shard]:
        """The shards that are not done."""
        return [shard for shard in self._shards if shard.number not in self.done]

    @property
    def told(self) -> str:
        """What is done, for the user of a job that ends early."""
        done = sum(len(self._shards[number]) for number in self.done)
        return f"{done} of {len(self._rows)} scans are done and kept: the same command goes on from there."

    def keep(self, shard: Shard, tables: dict[str, bytes], counts: Counts) -> None:
        """Write the parts of a shard, its findings last, then that it is done; raise OutputError."""
        sources = sources_of(self._rows[shard.start : shard.stop])
        files = {_part(table, shard.number): content for table, content in tables.items()}
        for name in sorted(files, key=lambda name: (name.startswith(f"{TABLES[0]}/"), name)):
            self._place.write(name, files[name])
        head = {
            "scans": [shard.start, shard.stop],
            "sources": sources,
            "files": {name: len(content) for name, content in sorted(files.items())},
            "counts": counts.to_dict(),
        }
        self._place.write(_entry(shard.number), _json(head))
        self.done[shard.number] = counts

    def finish(self) -> Counts:
        """Note that all is done, and return what came of all shards."""
        counts = total(self.done[number] for number in sorted(self.done))
        self._place.write(_DONE, _json({"shards": len(self._shards), "counts": counts.to_dict()}))
        return counts

    def _take_up(self, job: Job, sizes: dict[str, int]) -> None:
        if _JOB in sizes:
            self._of_this(job)
            entries = [_entry(shard.number) for shard in self._shards if _entry(shard.number) in sizes]
            for entry, content in zip(entries, self._place.read(entries), strict=True):
                shard = self._shards[int(entry.removesuffix(".json")[-6:])]
                counts = self._kept(shard, content, sizes)
                if counts is not None:
                    self.done[shard.number] = counts
            return
        others = [name for name in sizes if _ours(name) or name.startswith((*_LOCAL, ".unfinished/"))]
        if others:
            raise OutputError(
                f"{address(self._place.out)}: expected a place without results, or with those of this job; "
                f"received {others[0]}. Name another with -o, or remove parts of an earlier job with --anew."
            )
        self._place.write(_JOB, _json(dict(job)))

    def _of_this(self, job: Job) -> None:
        try:
            then = json.loads(self._place.read([_JOB])[0])
        except ValueError:
            then = {}
        if then != job:
            raise OutputError(
                f"{address(self._place.out)}: expected the job whose results are there to be given again, "
                f"received another: {differences(then, job)}. Give the earlier command to go on, remove what "
                "it has done with --anew, or name another place with -o."
            )

    def _kept(self, shard: Shard, content: bytes, sizes: dict[str, int]) -> Counts | None:
        try:
            head: dict[str, Any] = json.loads(content)
            whole = head["scans"] == [shard.start, shard.stop]
            whole &= all(sizes.get(name) == size for name, size in head["files"].items())
            whole &= head["sources"] == sources_of(self._rows[shard.start : shard.stop])
            return Counts.from_dict(head["counts"]) if whole else None
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


_LOCAL = tuple(f"{table}." for table in TABLES)


def _ours(name: str) -> bool:
    folder, _, file = name.partition("/")
    return (folder in TABLES and file.startswith("part-")) or (folder == "_atypia" and name != LOCK)


def _part(table: str, number: int) -> str:
    return f"{table}/part-{number:06}.parquet"


def _entry(number: int) -> str:
    return f"_atypia/shard-{number:06}.json"


def _json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=1) + "\n").encode()
