"""Instances put in their place and written into the database before they are acknowledged, many at a time."""

from __future__ import annotations

import errno
import hashlib
import hmac
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from structlog import get_logger

from atypia.service import access
from atypia.service.home import Home
from atypia.service.node.counters import BYTES, INSTANCES
from atypia.service.node.instance import Instance
from atypia.service.node.outcome import Outcome
from atypia.service.node.settings import NodeSettings
from atypia.service.node.spool import flush_to_disk
from atypia.service.store import events
from atypia.service.store.clock import moment
from atypia.service.store.database import Store
from atypia.service.store.models import Instance as Row
from atypia.service.store.models import Study, new_id

AT_ONCE = 200
"""So many instances are written in one transaction."""
RECEIVING, COMPLETE, ASIDE = "receiving", "complete", "aside"
_SOURCE = 100
_log = get_logger(__name__)


@dataclass
class _Entry:
    """An instance that waits to be recorded."""

    instance: Instance
    source: str
    study: str
    """The keyed hash of its study's UID,"""
    key: str
    """and of its own."""
    answer: Future[Outcome] = field(default_factory=Future)
    outcome: Outcome = Outcome.FAILED
    placed: Path | None = None


class Recorder:
    """One thread that writes what all senders hand in; while it commits, the next batch gathers."""

    def __init__(self, store: Store, home: Home, settings: NodeSettings) -> None:
        self._store, self._home, self._settings = store, home, settings
        self._key = home.key
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._door, self._stopped = threading.Lock(), False
        self._thread = threading.Thread(target=self._run, name="node-recorder", daemon=True)
        self._thread.start()

    def record(self, instances: Sequence[Instance], source: str, by: str) -> list[Outcome]:
        """Put instances in their place, and return what became of each when that is certain.

        `source` is who sent them, `by` how: `c-store` or `stow`. What was not recorded stays where it is.
        """
        entries = [
            _Entry(one, source[:_SOURCE], self.keyed("study", one.study_uid), self.keyed("instance", one.uid))
            for one in instances
        ]
        with self._door:
            for entry in entries:
                if self._stopped:
                    entry.answer.set_result(Outcome.FAILED)
                else:
                    self._queue.put(entry)
        outcomes = [entry.answer.result() for entry in entries]
        for outcome, one in zip(outcomes, instances, strict=True):
            INSTANCES.labels(by, outcome.name.lower()).inc()
            BYTES.inc(one.bytes if outcome is Outcome.STORED else 0)
        return outcomes

    def keyed(self, what: str, uid: str) -> str:
        """Return the hash of a UID under the key of this installation."""
        return hmac.new(self._key, f"{what}\0{uid}".encode(), hashlib.sha256).hexdigest()

    def stop(self) -> None:
        """Record what was handed in, and take no more."""
        with self._door:
            self._stopped = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        last = False
        while not last:
            batch = [self._queue.get()]
            with suppress(queue.Empty):
                while len(batch) < AT_ONCE:
                    batch.append(self._queue.get_nowait())
            last = None in batch
            entries = [entry for entry in batch if entry is not None]
            try:
                if entries:
                    self._commit(entries)
            except Exception as error:  # a database that is full, locked or gone: the senders are told
                _log.error("node.not_recorded", count=len(entries), kind=type(error).__name__)
                self._take_back(entries, error)
            finally:
                for entry in entries:
                    entry.answer.set_result(entry.outcome)

    def _commit(self, entries: list[_Entry]) -> None:
        with self._store.write() as session:
            studies = self._studies(session, entries)
            self._forget_known(session, entries, studies)
            for key in sorted(studies):
                ours = [one for one in entries if one.study == key and one.outcome is Outcome.FAILED]
                self._add(session, studies[key], ours)

    def _studies(self, session: Session, entries: list[_Entry]) -> dict[str, Study]:
        """Return the studies of all entries, locked in one order; those that are new are made."""
        sources = {entry.study: entry.source for entry in reversed(entries)}
        clock = moment(session)
        made = [
            {"id": new_id(), "key": key, "source": sources[key], "state": RECEIVING, "instances": 0,
             "objects": 0, "bytes": 0, "version": 0, "opened": clock, "last": clock}
            for key in sorted(sources)
        ]  # fmt: skip
        for one in made:
            _insert_new(session, Study.__table__, [one], ["key"])  # type: ignore[arg-type]
        asked = select(Study).where(Study.key.in_(sources)).order_by(Study.key).with_for_update()
        return {study.key: study for study in session.scalars(asked)}

    def _forget_known(self, session: Session, entries: list[_Entry], studies: dict[str, Study]) -> None:
        """Tell the outcome of what is there already, in the database or earlier among the entries."""
        asked = select(Row.study, Row.key, Row.sha256).where(
            Row.study.in_([study.id for study in studies.values()]),
            Row.key.in_({entry.key for entry in entries}),
        )
        known = {(study, key): sha256 for study, key, sha256 in session.execute(asked)}
        for entry in entries:
            place = (studies[entry.study].id, entry.key)
            if place not in known:
                known[place] = entry.instance.sha256
                continue
            same = known[place] == entry.instance.sha256
            entry.outcome = Outcome.REPEATED if same else Outcome.DIFFERENT

    def _add(self, session: Session, study: Study, entries: list[_Entry]) -> None:
        room = self._settings.study_instances - study.instances
        for entry in entries[max(0, room) :]:
            entry.outcome = Outcome.STUDY_FULL
        placed = [entry for entry in entries[: max(0, room)] if self._place(entry, study)]
        if not placed:
            return
        flush_to_disk(self._home.study(study.id))
        if study.instances == 0:
            events.emit(session, "study", study.id)
            who = placed[0].source
            access.record(session, who, role="node", action="study.receive", subject=study.id)
        clock = moment(session)
        session.execute(
            Row.__table__.insert(),  # type: ignore[attr-defined]
            [
                {"study": study.id, "key": one.key, "file": one.placed.name if one.placed else "",
                 "sha256": one.instance.sha256, "received": clock}
                for one in placed
            ],
        )  # fmt: skip
        judged = sum(entry.instance.judged for entry in placed)
        study.instances += len(placed)
        study.objects = (study.objects or 0) + len(placed) - judged
        study.bytes += sum(entry.instance.bytes for entry in placed)
        if judged or study.state == RECEIVING:
            # What is not judged, as results of ours that come back, opens no study again.
            study.state, study.last = RECEIVING, clock
        for entry in placed:
            entry.outcome = Outcome.STORED

    def _place(self, entry: _Entry, study: Study) -> bool:
        """Move a file to its study, under a name that tells nothing; tell whether there was room."""
        folder = self._home.study(study.id)
        place = folder / f"{new_id()}.dcm"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            entry.instance.path.rename(place)
        except OSError as error:
            entry.outcome = Outcome.NO_ROOM if error.errno in (errno.ENOSPC, errno.EDQUOT) else Outcome.FAILED
            return False
        entry.placed = place
        return True

    def _take_back(self, entries: list[_Entry], error: Exception) -> None:
        full = "full" in str(error).lower() or getattr(error, "errno", None) == errno.ENOSPC
        for entry in entries:
            entry.outcome = Outcome.NO_ROOM if full else Outcome.FAILED
            if entry.placed is not None:
                with suppress(OSError):
                    entry.placed.unlink(missing_ok=True)


def _insert_new(session: Session, table: Table, rows: list[dict[str, object]], unique: list[str]) -> None:
    """Insert rows, but for those that are there."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(dialect.insert(table).values(rows).on_conflict_do_nothing(index_elements=unique))
