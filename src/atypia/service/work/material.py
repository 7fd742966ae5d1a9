"""What a job is made of: its files, or what lies in them, as rows to judge, each with what it is called."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from atypia.errors import AtypiaError, BadTable
from atypia.reading.collection import Collection, read_collection
from atypia.reading.cutting import Cutting
from atypia.reading.row import Row
from atypia.reading.volumes import is_volume
from atypia.remote import is_remote
from atypia.service.home import PRIVATE, Home
from atypia.service.intake import Refused, allowed
from atypia.service.intake.archive import unpack
from atypia.service.settings import Settings
from atypia.service.work.words import failure

Names = Callable[[Path], str]


@dataclass(frozen=True)
class Part:
    """Something of a job that is judged by itself: a picture, a slice of a volume; or why there is none.

    `label` is what its finding is called, `file` the place of its file, from 0. `source` tells
    where the whole of it is kept, where it is a file by itself. `error` says why it has no row.
    """

    label: str
    file: int
    row: Row | None = None
    error: str | None = None
    source: dict[str, Any] | None = None


@dataclass(frozen=True)
class FileOfJob:
    """One uploaded file, as the database has it."""

    index: int
    kind: str
    sha256: str
    suffix: str
    name: str | None


@dataclass(frozen=True)
class JobOfWork:
    """A claimed job, free of the session that it was claimed in. `instances` are the files of a study."""

    id: str
    kind: str
    label: str
    screener: str
    study: str | None
    path: str | None
    options: dict[str, Any]
    attempts: int
    weight: int
    files: tuple[FileOfJob, ...] = ()
    instances: tuple[str, ...] = ()

    @property
    def judge_all(self) -> bool:
        """Whether scans that were taken otherwise are to be judged too."""
        return bool(self.options.get("judge_all", False))

    @property
    def results(self) -> tuple[str, ...]:
        """The kinds of DICOM results that are asked for."""
        return tuple(self.options.get("results") or ())

    @property
    def called(self) -> str:
        """What it is called where nobody's names are told."""
        return self.label or f"{self.kind} {self.id[:4]}"


@dataclass
class Gatherer:
    """Lists the parts of jobs; what must be unpacked or linked lies in `folder`."""

    settings: Settings
    home: Home
    cutting: Cutting
    folder: Path
    _count: int = field(default=0, init=False)

    def parts(self, job: JobOfWork) -> Iterator[Part]:
        """Yield all parts of a job; raise Refused, AtypiaError or OSError where it has none at all."""
        if job.kind == "upload":
            yield from self._uploaded(job)
        elif job.kind == "path":
            yield from self._at_path(job)
        else:
            yield from self._study(job)

    def _uploaded(self, job: JobOfWork) -> Iterator[Part]:
        for file in job.files:
            if file.kind != "dicom":
                yield from self._file(job, file)
        of_series = [file for file in job.files if file.kind == "dicom"]
        if of_series:
            place = self._place()
            for file in of_series:
                link(self.home.upload(file.sha256, file.suffix), place / f"{file.index:06}.dcm")
            yield from self._below(place, job.called, of_series[0].index)

    def _file(self, job: JobOfWork, file: FileOfJob) -> Iterator[Part]:
        path = self.home.upload(file.sha256, file.suffix)
        label = f"{job.called}, file {file.index + 1}"
        if self.settings.keep_names and file.name:
            label = file.name
        source = {"sha256": file.sha256, "suffix": file.suffix}
        if not path.is_file():
            yield Part(label, file.index, error=f"{label}: its file is no longer kept. Send it again.")
        elif file.kind == "picture":
            yield Part(label, file.index, Row(path, self._name(path.name)), source=source)
        elif file.kind == "archive":
            place, entries = self._place(), {}
            for member in unpack(path, place, self.settings.limits):
                entries[member.path] = member.entry if self.settings.keep_names else None
            yield from self._below(place, label, file.index, entries)
        else:
            yield from self._listed(path, lambda _: label, file.index, source)

    def _below(
        self, place: Path, label: str, index: int, entries: dict[Path, str | None] | None = None
    ) -> Iterator[Part]:
        """Yield the parts of a folder whose files have names of our own."""
        numbers = {path: number for number, path in enumerate(sorted(place.rglob("*.*")), start=1)}

        def name(path: Path) -> str:
            entry = (entries or {}).get(path)
            return entry or f"{label}, {'volume' if is_volume(path) else 'image'} {numbers.get(path, 0)}"

        yield from self._listed(place, name, index, None, series=label)

    def _at_path(self, job: JobOfWork) -> Iterator[Part]:
        path = allowed(self.settings.roots, job.path or "")
        root = next(root.resolve() for root in self.settings.roots if path.is_relative_to(root.resolve()))
        numbers: dict[Path, int] = {}

        def name(scan: Path) -> str:
            if self.settings.keep_names:
                return scan.relative_to(root).as_posix() if scan.is_relative_to(root) else scan.name
            return f"{job.called}, file {numbers.setdefault(scan, len(numbers) + 1)}"

        most = self.settings.limits.files_per_job
        for part in self._listed(path, name, 0, None):
            if part.row is not None and not _is_inside(part.row.path, self.settings.roots):
                part = Part(part.label, 0, error=f"{part.label}: lies outside the allowed folders.")
            elif part.row is not None:
                told = os.path.relpath(part.row.path, root)
                part = replace(part, source={"root": str(root), "path": told})
            yield part
            if len(numbers) > most:
                raise Refused(413, "Too many files", f"Expected at most {most} scans in one job.")

    def _study(self, job: JobOfWork) -> Iterator[Part]:
        place = self._place()
        for number, file in enumerate(job.instances):
            link(self.home.study(job.study or "") / file, place / f"{number:06}.dcm")
        yield from self._below(place, job.called, 0)

    def _listed(
        self, path: Path, name: Names, index: int, source: dict[str, Any] | None, series: str | None = None
    ) -> Iterator[Part]:
        """Yield the parts of what a file or folder lists; one that says why, where that is nothing."""
        try:
            collection = read_collection(path, cutting=self.cutting)
        except (BadTable, AtypiaError) as error:
            label = series or name(path)
            yield Part(label, index, error=_no_scan(error, path, label, aside=isinstance(error, BadTable)))
            return
        for row in self._rows(collection):
            label = _label(row, series) or name(row.path)
            if row.plane is not None and len(self.cutting.planes) > 1:
                label = f"{label}, {row.plane}"
            yield Part(label, index, row, source=source)

    def _rows(self, collection: Collection) -> Iterator[Row]:
        self._count += 1
        for row in collection:
            yield replace(row, name=f"{self._count}/{row.name}", label=None, split=None, mask=None)

    def _name(self, name: str) -> str:
        self._count += 1
        return f"{self._count}/{name}"

    def _place(self) -> Path:
        self._count += 1
        place = self.folder / f"m{self._count:04}"
        place.mkdir(mode=PRIVATE, parents=True)
        return place


def link(source: Path, target: Path) -> None:
    """Let a file lie at another place too, without a copy where the file system can; raise OSError."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def _label(row: Row, within: str | None) -> str | None:
    """Return what a DICOM series is called within an upload; None for what is none, or has no number."""
    series = row.name.partition(":")[0].rpartition("/")[2]
    return f"{within}, {series}" if within and series.startswith("series") else None


def _is_inside(path: Path, roots: Sequence[Path]) -> bool:
    if is_remote(path):
        return False
    real = path.resolve()
    return any(real.is_relative_to(root.resolve()) for root in roots)


def _no_scan(error: AtypiaError, path: Path, label: str, *, aside: bool) -> str:
    if aside and path.is_dir():
        return (
            f"{label}: expected a scan in it, received none: no picture, no volume, and no DICOM image "
            "that is one (a localizer, a derived image or an object without pixels is none)."
        )
    return failure(str(error), label, [path])


def parts_of(gatherer: Gatherer, jobs: Iterable[JobOfWork]) -> Iterator[tuple[JobOfWork, Part]]:
    """Yield the parts of several jobs."""
    for job in jobs:
        for part in gatherer.parts(job):
            yield job, part
