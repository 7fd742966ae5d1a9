"""One sitting: jobs of one Screener judged together, until each has its findings and their files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from itertools import chain
from pathlib import Path
from typing import Any

from atypia.errors import AtypiaError, OutputError, UnreadableScan
from atypia.reading.picture import open_picture
from atypia.reading.row import Row
from atypia.reading.rows import read_row
from atypia.reading.volumes import is_volume
from atypia.scan import Finding as Found
from atypia.screener import Judged
from atypia.service.home import PRIVATE, Home
from atypia.service.intake import Refused
from atypia.service.settings import Settings
from atypia.service.store.models import Finding, new_id
from atypia.service.work import rows
from atypia.service.work.held import Holding
from atypia.service.work.material import Gatherer, JobOfWork, Part
from atypia.service.work.picture_files import listed, write_picture
from atypia.service.work.volume_files import write_volume
from atypia.volume_finding import VolumeFinding
from atypia.writing.volume_gathering import VolumeGathering, volume_of

AT_ONCE = 64 * 2**20
"""So many pixels of pictures are judged in one call, at most; one picture may have as many."""

KEPT_PIXELS = 2**18
"""Pictures of up to so many pixels are kept in memory from judging to writing; larger ones are read again."""


@dataclass
class Outcome:
    """What came of a job so far: its findings, whose files lie in folders by their identifiers.

    Of `total` pictures and slices `left` are still to be judged.
    """

    job: JobOfWork
    total: int = 0
    left: int = 0
    findings: list[Finding] = field(default_factory=list)
    failed: BaseException | None = None


@dataclass(frozen=True)
class _Placed:
    """A part with the outcome that it belongs to, and how many pixels its picture has, 0 for a slice."""

    outcome: Outcome
    part: Part | None
    pixels: int = 0

    @property
    def row(self) -> Row | None:
        """What is to be judged of it."""
        return None if self.part is None else self.part.row


_Adding = Callable[["Sitting", Outcome, Part, Row, Any], None]


def _noting_failure(add: _Adding) -> _Adding:
    """Let a job fail, and no other, where what shows its finding cannot be made."""

    @wraps(add)
    def guarded(self: Sitting, outcome: Outcome, part: Part, row: Row, found: Any) -> None:
        try:
            add(self, outcome, part, row, found)
        except (OSError, UnreadableScan) as error:  # its files are not written, or it is gone meanwhile
            outcome.failed = error
        except OutputError as error:
            outcome.failed = error.__cause__ or error

    return guarded


class Sitting:
    """Judges jobs with one Screener; what is made meanwhile lies in `folder`.

    `still_wanted` is asked before each scan whether a job is to go on.
    """

    def __init__(
        self,
        settings: Settings,
        home: Home,
        holding: Holding,
        folder: Path,
        still_wanted: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._settings, self._holding, self._wanted = settings, holding, still_wanted
        self._files = folder / "findings"
        self._files.mkdir(mode=PRIVATE)
        place = folder / "material"
        place.mkdir(mode=PRIVATE)
        self._gatherer = Gatherer(settings, home, holding.screener.cutting, place)

    def folder_of(self, finding: Finding) -> Path:
        """Return where the files of a finding lie until they are put in their place."""
        return self._files / finding.id

    def judged(self, jobs: Iterable[JobOfWork]) -> Iterator[Outcome]:
        """Yield the outcome of a job after each of its pictures and slices; the last time with none `left`.

        Jobs are taken as they are needed, a few ahead; all of them judge all, or none. A job that cannot be
        done has the reason in `failed`; the others go on. What stops all of them, as a detector that fails,
        is raised.
        """
        for run in _runs(self._placed(jobs)):
            yield from self._found(run)

    def _placed(self, jobs: Iterable[JobOfWork]) -> Iterator[_Placed]:
        """Yield the parts of each job, each with its outcome; one without a part for a job that has none."""
        for job in jobs:
            outcome = Outcome(job)
            try:
                parts = list(self._gatherer.parts(job))
            except (Refused, AtypiaError, OSError) as error:
                outcome.failed, parts = error, []
            outcome.total = outcome.left = len(parts)
            yield from (self._checked(outcome, part) for part in parts)
            if not parts:
                yield _Placed(outcome, None)

    def _found(self, run: Iterator[_Placed]) -> Iterator[Outcome]:
        given: deque[_Placed] = deque()
        volumes = _Volumes(self)
        first = next(run, None)
        if first is None:
            return

        def rows() -> Iterator[Row]:
            for placed in chain([first], run):
                given.append(placed)
                if placed.row is not None:
                    yield placed.row

        judge_all = first.outcome.job.judge_all
        judge = self._holding.screener.judge
        for found in judge(rows(), judge_all=judge_all, kept=KEPT_PIXELS):
            while given[0].row is None:
                yield self._done(given.popleft(), None, volumes)
            yield self._done(given.popleft(), found, volumes)
        while given:
            yield self._done(given.popleft(), None, volumes)
        volumes.finish()

    def _done(self, placed: _Placed, found: Judged | None, volumes: _Volumes) -> Outcome:
        outcome, part = placed.outcome, placed.part
        if part is None:
            return outcome
        if outcome.failed is None and self._wanted(outcome.job.id):
            self._add(outcome, part, found, volumes)
        outcome.left -= 1
        if not outcome.left:
            volumes.finish()
        return outcome

    def _checked(self, outcome: Outcome, part: Part) -> _Placed:
        """Let a picture that is too large to be judged be one that cannot be read."""
        if part.row is None or part.row.slice is not None or is_volume(part.row.path):
            return _Placed(outcome, part)
        most = self._settings.limits.picture_pixels
        if (size := pixels_of(part.row)) > most:
            error = f"{part.label}: expected at most {most} pixels, received {size}. Send it reduced."
            return _Placed(outcome, Part(part.label, part.file, error=error, source=part.source))
        return _Placed(outcome, part, size)

    def _add(self, outcome: Outcome, part: Part, found: Judged | None, volumes: _Volumes) -> None:
        if part.row is None or found is None:
            volumes.finish()
            self._keep(outcome, rows.of_nothing(outcome.job, part, self._holding))
        elif volume_of(part.row) is not None:
            volumes.add(outcome, part, part.row, found.drawn())
        else:
            volumes.finish()
            self._add_picture(outcome, part, part.row, found)

    @_noting_failure
    def _add_picture(self, outcome: Outcome, part: Part, row: Row, judged: Judged) -> None:
        finding = rows.of_picture(outcome.job, part, row, judged, self._holding)
        folder = self._keep(outcome, finding)
        if judged.heat is None:
            return
        folder.mkdir(mode=PRIVATE)
        pixels = judged.loaded.pixels
        if pixels is None:
            pixels = read_row(row).pixels
        files = write_picture(judged, pixels, folder, with_p=self._holding.tells_pixels)
        finding.files = [one.values() for one in files]

    @_noting_failure
    def add_volume(self, outcome: Outcome, part: Part, row: Row, found: VolumeFinding) -> None:
        """Keep what was found of a volume, and write its files."""
        identifier, notes = new_id(), []
        folder = self._files / identifier
        if found.judged:
            folder.mkdir(mode=PRIVATE)
            try:
                notes = write_volume(found, row.strip, self._holding.maker, folder, outcome.job.results)
            except UnreadableScan:
                notes = ["its files could not be read again to show it"]
        finding = rows.of_volume(outcome.job, part, row, found, self._holding, notes)
        finding.id = identifier
        finding.files = [one.values() for one in listed(folder)]
        self._keep(outcome, finding)

    def _keep(self, outcome: Outcome, finding: Finding) -> Path:
        finding.id = finding.id or new_id()
        finding.index = len(outcome.findings)
        outcome.findings.append(finding)
        return self.folder_of(finding)


class _Volumes:
    """The volumes of a run, put together from their slices, which come one after another."""

    def __init__(self, sitting: Sitting) -> None:
        screener = sitting._holding.screener
        threshold = screener.threshold_ if screener.provenance.get("grouped") else None
        self._gathering = VolumeGathering(threshold, maps=True, planes=screener.planes_)
        self._sitting = sitting
        self._now: tuple[Outcome, Part, Row] | None = None

    def add(self, outcome: Outcome, part: Part, row: Row, found: Found) -> None:
        """Add what was found of a slice."""
        done = self._gathering.add(row, found)
        self._keep(done)
        if self._now is None:
            self._now = outcome, part, row

    def finish(self) -> None:
        """Keep the volume whose slices came last."""
        if self._now is not None:
            self._keep(self._gathering.finish())

    def _keep(self, done: VolumeFinding | None) -> None:
        if done is None or self._now is None:
            return
        outcome, part, row = self._now
        self._now = None
        self._sitting.add_volume(outcome, part, row, done)


def _runs(parts: Iterator[_Placed]) -> Iterator[Iterator[_Placed]]:
    """Part what is to be judged where the pictures of one call would be too large together.

    Each run is to be read to its end before the next.
    """
    ahead = deque[_Placed]()

    def run() -> Iterator[_Placed]:
        pixels = 0
        while (placed := ahead.popleft() if ahead else next(parts, None)) is not None:
            large = placed.pixels if placed.pixels > AT_ONCE // 64 else 0
            if pixels and pixels + large > AT_ONCE:
                ahead.append(placed)
                return
            pixels += large
            yield placed

    while True:
        yield run()
        if not ahead:
            return


def pixels_of(row: Row) -> int:
    """Return how many pixels a picture has, by its header; 0 where that cannot be read."""
    try:
        with row.path.open("rb") as file:
            picture = open_picture(row.path, file)
            return int(picture.width * picture.height)
    except Exception:  # damaged files draw almost any exception; reading them gives the reason
        return 0
