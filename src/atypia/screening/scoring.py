"""Judging many scans into a folder, so that what is done is never done again."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atypia.atomic import not_written
from atypia.destination import held
from atypia.errors import AtypiaError
from atypia.onnx_session import device
from atypia.progress import progress
from atypia.reading.collection import Collection, Row
from atypia.screener import Screener
from atypia.screening.job import Job, Keeping, job_of
from atypia.screening.journal import Journal
from atypia.screening.making import maker_of
from atypia.screening.of_shard import TABLES, WRITTEN, Asked, judge_shard
from atypia.screening.order import Order
from atypia.screening.plan import Shard, shards_of, usual_size
from atypia.screening.results import results_of
from atypia.screening.sharing import threads_of_each
from atypia.screening.tally import Counts, Tally
from atypia.volume_finding import Maker
from atypia.writing.table import FindingsWriter

if TYPE_CHECKING:
    from atypia.screening.crew import Crew

_AS_USUAL = Keeping()


def score_to_folder(
    screener: Screener,
    scans: Collection,
    out: Path,
    kind: str = "csv",
    heatmaps: bool = False,
    judge_all: bool = False,
    results: Sequence[str] = (),
    maker: Maker | None = None,
    keep_identifiers: bool = False,
    keeping: Keeping = _AS_USUAL,
) -> Tally:
    """Write findings, regions and, where asked, pictures below `out`; raise OutputError.

    They are `findings.KIND`, `regions.KIND` and `heatmaps/NAME.png`; where there are volumes, also
    `volumes.KIND` and `volume_regions.KIND`, with `heatmaps` for each `heatmaps/volume-NUMBER.nii.gz`, its
    mask and pictures of a few slices, and those `results` that are named, out of RESULTS. All appear, and
    those of an earlier run vanish, when the last scan is judged.
    A scan that cannot be read or judged is one row with its error; the others go on. With `judge_all` a
    scan that was not taken like those learned from is judged as well. `maker` says in the results which
    Screener this is. With `keep_identifiers` the table of volumes names patient, study and series of DICOM,
    which else stand in DICOM results alone. Raises BadOption for a result that is not known, MissingExtra
    where one cannot be made.

    Meanwhile what is done is kept in `out`, as `keeping` says: after an interruption the same call goes on
    from there, if `maker` has the hash of the Screener. Raises OutputError where another job holds the
    folder, or another was interrupted there, ArtefactError where the Screener's file became another, and
    ProcessesDied where several processes judge and die again and again.
    """
    FindingsWriter(out / f"findings.{kind}")  # refuses another kind before the work begins
    kinds = results_of([*results, *(["nifti"] if heatmaps else [])])
    shards, volumes = shards_of(scans.rows, keeping.shard)
    asked = Asked(
        screener, maker or maker_of(screener), kinds, heatmaps, judge_all, keep_identifiers, volumes > 0
    )
    options = {
        "--format": kind,
        "--results": ",".join(results_of(results)),
        **_options(asked, keeping, len(scans)),
    }
    job = job_of(scans, asked.maker.sha256, options)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with held(out):
            anew = keeping.anew or asked.maker.sha256 is None
            journal = Journal(out, job, scans.rows, shards, kind, anew=anew)
            kept = len(scans) - sum(map(len, journal.left))
            counts, lost = _all_judged(journal, asked, scans.rows, keeping)
    except OSError as error:
        raise _noted(not_written(out, error), error) from error
    tally = replace(_tally(counts, out, kind, kept), lost=lost)
    if volumes:
        return tally
    left_out = dict.fromkeys(results, "it is made of volumes, and there are none")
    return replace(tally, volumes_table=None, volume_regions_table=None, left_out=tally.left_out | left_out)


def _all_judged(journal: Journal, asked: Asked, rows: Sequence[Row], keeping: Keeping) -> tuple[Counts, int]:
    """Judge the shards that are left, put all results where they belong, and return what came of them.

    The second number is that of processes that died.
    """
    left = sum(map(len, journal.left))
    ticks = progress(range(left), total=len(rows), label="scoring", done=len(rows) - left)
    try:
        crew = _crew(journal, asked, rows, keeping, ticks)
        judged = _judged_here(journal, asked, rows, ticks) if crew is None else crew.judged()
        with closing(judged):
            for _ in judged:
                if keeping.watched is not None:
                    keeping.watched.demand_same(asked.maker.sha256)
        return journal.finish(*WRITTEN), 0 if crew is None else crew.lost
    except (AtypiaError, KeyboardInterrupt, MemoryError, OSError) as error:
        if journal.done:
            error.add_note(journal.told)
        raise
    finally:
        journal.give_up_if_empty()


def _judged_here(
    journal: Journal, asked: Asked, rows: Sequence[Row], ticks: Iterator[int]
) -> Generator[Shard, None, None]:
    """Judge the shards that are left in this process, and yield each when it is kept."""
    for shard in journal.left:
        with journal.shard(shard) as (folder, told):
            part = rows[shard.start : shard.stop]
            told.append(judge_shard(asked, part, folder, journal.kind, before=shard.before, ticks=ticks))
        yield shard


def _crew(
    journal: Journal, asked: Asked, rows: Sequence[Row], keeping: Keeping, ticks: Iterator[int]
) -> Crew | None:
    """Return processes that judge, None where this one alone is to do so."""
    file, sha256 = keeping.watched, asked.maker.sha256
    known = file is not None and sha256 is not None
    each = threads_of_each(keeping.processes, keeping.threads, journal.left, known=known)
    if file is None or sha256 is None or not each:
        return None
    from atypia.screening.crew import Crew

    order = Order(
        asked.maker,
        sha256,
        judge_all=asked.judge_all,
        keep_identifiers=asked.keep_identifiers,
        of_volumes=asked.of_volumes,
        threads=each[0],
        device=device(),
        heatmaps=asked.heatmaps,
        results=tuple(asked.results),
    )
    return Crew(file.path, order, each, journal, rows, ticks)


def _options(asked: Asked, keeping: Keeping, scans: int) -> Job:
    """Return what the results depend on beside the Screener and the scans, as a user knows it."""
    return {
        "the Screener's name": asked.maker.name,
        "--heatmaps": asked.heatmaps,
        "--judge-all": asked.judge_all,
        "--keep-identifiers": asked.keep_identifiers,
        "--threads": keeping.threads,
        "--shard": keeping.shard or usual_size(scans),
    }


def _tally(counts: Counts, out: Path, kind: str, kept: int) -> Tally:
    numbers: dict[str, Any] = dict(counts.numbers)
    tables: dict[str, Any] = {f"{table}_table": out / f"{table}.{kind}" for table in TABLES[1:]}
    return Tally(
        table=out / f"{TABLES[0]}.{kind}",
        folders=tuple(out / folder for folder in counts.folders),
        left_out=counts.left_out,
        kept=kept,
        **numbers,
        **tables,
    )


def _noted(error: AtypiaError, cause: BaseException) -> AtypiaError:
    """Return an error with what was noted of its cause."""
    for note in getattr(cause, "__notes__", ()):
        error.add_note(note)
    return error
