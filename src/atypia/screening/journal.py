"""What is done of a job, kept beside its results until all is done.

    OUT/.unfinished/job.json        which job it is of
    OUT/.unfinished/shard-000000/   the tables and files of a shard that is done; its shard.json tells of them
    OUT/.unfinished/shard-000001.9f3c52aa.part/   one under way, by another name each time that it is begun;
                                    what a killed process leaves of it is thrown away
    OUT/.unfinished/merged/         the tables of all shards, once all are done
    OUT/.unfinished/moving.json     from here on nothing happens but that results move to where they belong

A shard is done from the moment that its folder loses the `.part`, which a file system does at once or not at
all. So there is no moment at which a process can be killed and leave something that is half there.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atypia.atomic import write_whole
from atypia.destination import clear
from atypia.errors import OutputError
from atypia.reading.row import Row
from atypia.screening.job import Job, differences, sources_of
from atypia.screening.plan import Shard
from atypia.screening.tally import Counts, total
from atypia.writing.merging import merge_tables

UNFINISHED, FINISHED = ".unfinished", ".finished"
_SHARD = "shard.json"


@dataclass(frozen=True)
class _Begun:
    """The folder of a shard under way, and what told of its scans' files as it was begun."""

    folder: Path
    sources: str


class Journal:
    """Keeps what is done of a job in a folder of its own below `out`, which no other job may write to.

    `rows` are all scans and `shards` how they are parted; `kind` is that of the tables in the end. What an
    earlier run of the same job has left is taken up: `done` tells what came of its shards, by their numbers.
    With `anew` it is given up. Raises OutputError where an interrupted job was another one, and OSError where
    the folder cannot be written.
    """

    def __init__(
        self, out: Path, job: Job, rows: Sequence[Row], shards: Sequence[Shard], kind: str, *, anew: bool
    ) -> None:
        self._out, self._rows, self._shards, self._kind = out, rows, shards, kind
        self._folder = out / UNFINISHED
        self.done: dict[int, Counts] = {}
        self._begun: dict[int, _Begun] = {}
        shutil.rmtree(out / FINISHED, ignore_errors=True)
        if self._folder.exists() and (anew or not self._taken_up(job)):
            shutil.rmtree(self._folder)
        if not self._folder.exists():
            write_whole(self._folder / "job.json", json.dumps(job, indent=1) + "\n")

    @property
    def kind(self) -> str:
        """Which tables the shards have: those of one that is alone are the results themselves."""
        return self._kind if len(self._shards) == 1 else "parquet"

    @property
    def left(self) -> list[Shard]:
        """The shards that are not done."""
        return [shard for shard in self._shards if shard.number not in self.done]

    @property
    def told(self) -> str:
        """What is done, for the user of a job that ends early."""
        done = sum(len(self._shards[number]) for number in self.done)
        return f"{done} of {len(self._rows)} scans are done and kept: the same command goes on from there."

    @contextmanager
    def shard(self, shard: Shard) -> Iterator[tuple[Path, list[Counts]]]:
        """Yield a folder for all that is written of a shard, and a list that takes what came of it.

        Where all goes well it is kept. Where not, it is thrown away.
        """
        told: list[Counts] = []
        try:
            yield self.begin(shard), told
            self.keep(shard, told[0])
        finally:
            self.drop(shard)

    def begin(self, shard: Shard) -> Path:
        """Return a folder for all that is written of a shard until it is kept or dropped."""
        folder = self._folder_of(shard)
        part = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.part")
        # Noted before it is there: an interrupt may come between any two steps, and what is noted is dropped.
        self._begun[shard.number] = _Begun(part, sources_of(self._rows[shard.start : shard.stop]))
        part.mkdir()
        return part

    def keep(self, shard: Shard, counts: Counts) -> None:
        """Keep what is written of a shard that was begun, and what came of it."""
        part = self._begun[shard.number].folder
        head = {
            "scans": [shard.start, shard.stop],
            "sources": self._begun[shard.number].sources,
            "files": {name: (part / name).stat().st_size for name in _files(part)},
        }
        write_whole(part / _SHARD, json.dumps({**head, "counts": counts.to_dict()}) + "\n")
        part.rename(self._folder_of(shard))
        del self._begun[shard.number]
        self.done[shard.number] = counts

    def drop(self, shard: Shard) -> None:
        """Throw away what is written of a shard that was begun and not kept."""
        begun = self._begun.pop(shard.number, None)
        if begun is not None:
            shutil.rmtree(begun.folder, ignore_errors=True)

    def finish(self, *patterns: str) -> Counts:
        """Put all results where they belong, in place of those that `patterns` name, and return the counts.

        Earlier results stay as they were until the last scan is judged.
        """
        if not self._moving.exists():
            self._merge()
            clear(self._out, *patterns)
            write_whole(self._moving, "{}\n")
        for file in self._results():
            place = self._out.joinpath(*file.relative_to(self._folder).parts[1:])
            place.parent.mkdir(exist_ok=True)
            shutil.move(file, place)
        counts = total(self.done[number] for number in sorted(self.done))
        self._folder.rename(self._out / FINISHED)  # at once, so that what is left of it is taken for no job's
        shutil.rmtree(self._out / FINISHED)
        return counts

    def give_up_if_empty(self) -> None:
        """Leave nothing behind where nothing is done."""
        if not self.done:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _moving(self) -> Path:
        """What is there from the moment that results move to where they belong."""
        return self._folder / "moving.json"

    def _folder_of(self, shard: Shard) -> Path:
        return self._folder / f"shard-{shard.number:06}"

    def _taken_up(self, job: Job) -> bool:
        """Take up what is done, and tell whether it is of this job; raise OutputError where it is not."""
        then = _read(self._folder / "job.json")
        kept = any(self._folder.glob(f"shard-*/{_SHARD}"))
        if then != job:
            if kept:
                raise self._of_another(differences(then, job) if then else "its job.json cannot be read")
            return False
        for shard in self._shards:
            counts = self._kept(shard)
            if counts is not None:
                self.done[shard.number] = counts
        for folder in self._folder.glob("shard-*"):
            if folder.name.endswith(".part") or int(folder.name[-6:]) not in self.done:
                shutil.rmtree(folder)
        return True

    def _kept(self, shard: Shard) -> Counts | None:
        """Return what came of a shard that is done; None where it is to be done, or done again."""
        folder = self._folder_of(shard)
        head = _read(folder / _SHARD)
        try:
            counts = Counts.from_dict(head["counts"])
            whole = head["scans"] == [shard.start, shard.stop]
            if whole and not self._moving.exists():
                whole = head["files"] == {name: (folder / name).stat().st_size for name in head["files"]}
                whole &= head["sources"] == sources_of(self._rows[shard.start : shard.stop])
        except (KeyError, TypeError, ValueError, OSError):
            return None
        return counts if whole else None

    def _merge(self) -> None:
        shutil.rmtree(self._folder / "merged", ignore_errors=True)  # with the half table of a killed process
        if len(self._shards) == 1:
            return
        folders = [self._folder_of(shard) for shard in self._shards]
        for table in sorted(folders[0].glob("*.parquet")):
            parts = [folder / table.name for folder in folders]
            merge_tables(parts, self._folder / "merged" / f"{table.stem}.{self._kind}")

    def _results(self) -> Iterator[Path]:
        """Yield all files that are results: those of the scans, then the tables, the findings at the end."""
        for shard in self._shards:
            yield from sorted(file for file in self._folder_of(shard).glob("*/*") if file.is_file())
        tables = self._folder / "merged" if len(self._shards) > 1 else self._folder_of(self._shards[0])
        found = (file for file in tables.glob("*.*") if file.name != _SHARD)
        yield from sorted(found, key=lambda file: (file.stem == "findings", file.name))

    def _of_another(self, what: str) -> OutputError:
        return OutputError(
            f"{self._out}: expected the job that was interrupted there to be given again, received another: "
            f"{what}. Give the earlier command to go on, give up what it has done with --anew, or name "
            "another folder with -o."
        )


def _files(folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in sorted(folder.rglob("*")) if file.is_file()]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
