"""Putting things in order: jobs that nobody can end, files that nothing needs any more, old events."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.service.store import events, jumps, queue, removal
from atypia.service.store.database import Store
from atypia.service.store.models import ENDED, File, Finding, Job, Screener, Study, now

OLD_SECONDS = 3600.0
"""What is younger may belong to something that is just being done."""
_SEVERAL = 500


def end_and_forget(settings: Settings, store: Store) -> None:
    """Fail jobs without tries left, forget old events, and put right what a clock that jumped has put off."""
    longest = max((4 * peer.timeout + peer.longest_wait for peer in settings.peers), default=0.0)
    with store.write() as session:
        jumps.set_right(session, settings.lease_seconds, longest)
        queue.sweep(session, settings.tries)
        if jumps.is_believed(session):
            events.forget(session, now() - timedelta(days=settings.events_days))


def clear_away(settings: Settings, store: Store, home: Home, old: float = OLD_SECONDS) -> None:
    """Remove files that no row names and that are `old`, in seconds; raise OSError where that fails.

    Where the clock jumped no age can be told, and nothing is removed that is not at once.
    """
    with store.session() as session:
        if old and not jumps.is_believed(session):
            return
    uploads = (path for part in home.uploads.iterdir() for path in part.iterdir())
    _remove_unknown(store, home, File.sha256, _older(uploads, old))
    _remove_unknown(store, home, Finding.id, _older(home.all_findings.iterdir(), old))
    _remove_unknown(store, home, Screener.sha256, _older(home.screeners.iterdir(), old))
    _remove_unknown(store, home, Study.id, _older(home.studies.iterdir(), old))
    unfinished = max(old, settings.limits.job_seconds) if old else 0.0
    for path in _older([*home.tmp.iterdir(), *home.trash.iterdir()], unfinished):
        home.discard(path)
    if not settings.keep_uploads:
        _discard_judged(store, home)


def _older(paths: Iterable[Path], old: float) -> Iterator[Path]:
    before = time.time() - old
    for path in paths:
        try:
            if path.stat().st_mtime <= before:
                yield path
        except FileNotFoundError:
            continue


def _remove_unknown(
    store: Store, home: Home, column: InstrumentedAttribute[str], paths: Iterator[Path]
) -> None:
    """Remove those of these files, or folders, whose names up to the first dot stand in no row."""
    while some := {path.name.partition(".")[0]: path for path in islice(paths, _SEVERAL)}:
        with store.write() as session:  # so that nobody needs one of them meanwhile
            removal.uploads_in_turn(session, removing=True)
            known = set(session.scalars(select(column).where(column.in_(some))))
            for name in some.keys() - known:
                home.discard(some[name])


def _discard_judged(store: Store, home: Home) -> None:
    """Remove uploads whose jobs have all ended."""
    paths = (path for part in home.uploads.iterdir() for path in part.iterdir())
    while some := {path.name.partition(".")[0]: path for path in islice(paths, _SEVERAL)}:
        asked = select(File.sha256, Job.state).join(Job, Job.id == File.job).where(File.sha256.in_(some))
        with store.write() as session:
            removal.uploads_in_turn(session, removing=True)
            states = session.execute(asked.distinct()).all()
            going = {sha256 for sha256, state in states if state not in ENDED}
            for sha256 in {sha256 for sha256, _ in states} - going:
                home.discard(some[sha256])
