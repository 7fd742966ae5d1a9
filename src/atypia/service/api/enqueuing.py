"""Jobs put into the queue: whole or not at all, and the same request only once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from atypia.errors import AtypiaError
from atypia.service.api import schemas, shown
from atypia.service.api.problems import Problem
from atypia.service.api.serving import Serving
from atypia.service.store import queue, removal
from atypia.service.store.models import File, Job, Screener, new_id


@dataclass(frozen=True)
class Wish:
    """How jobs are to be done; `screener` None is the default one."""

    screener: str | None
    results: tuple[str, ...]
    judge_all: bool
    split: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """What a job keeps of it."""
        return {"judge_all": self.judge_all, "results": list(self.results)}


def key_of(by: str, key: str | None) -> str | None:
    """Return a key that no other user's is, and that says nothing of what it was made from."""
    return None if not key else hashlib.sha256(f"{by}\0{key}".encode()).hexdigest()


@dataclass(frozen=True)
class Request:
    """What jobs are to be made of, by whom: uploads, those of a job each together, or a path."""

    by: str
    key: str | None
    wish: Wish
    what: list[list[File]] | Path


Made = tuple[list[schemas.Job], bool]
"""Jobs, and whether they are new."""


def enqueue(
    here: Serving, by: str, key: str | None, wish: Wish, what: list[list[File]] | Path
) -> tuple[list[schemas.Job], bool]:
    """Put jobs into the queue, or return those that the key made before, and tell which it was."""
    (made,) = enqueue_all(here, [Request(by, key, wish, what)])
    if isinstance(made, Exception):
        raise made
    return made


def enqueue_all(here: Serving, requests: Sequence[Request]) -> list[Made | Exception]:
    """Do so for several requests, in one transaction, or each by itself where that cannot be.

    In place of what a request made stands what it is refused for. Where the database fails that is raised,
    for all of them.
    """
    if len(requests) > 1:
        try:
            with here.store.write() as session:
                turn = _Turn(here, session)
                jobs = [turn.take(request) for request in requests]
                session.flush()
                return [one if isinstance(one, Problem) else _shown(one) for one in jobs]
        except (IntegrityError, DataError, ValueError):  # of one of them, as of two with the same key
            pass
    return [_alone(here, request) for request in requests]


def _alone(here: Serving, request: Request) -> Made | Exception:
    try:
        with here.store.write() as session:
            jobs = _Turn(here, session).take(request)
            session.flush()
            return jobs if isinstance(jobs, Problem) else _shown(jobs)
    except IntegrityError:  # another request with this key was faster, or one that deleted
        return _after_all(here, request)
    except (SQLAlchemyError, AtypiaError, ValueError) as error:
        return error


def _after_all(here: Serving, request: Request) -> Made | Exception:
    try:
        with here.store.session() as session:
            known = _known(session, request.key, _fingerprint(request.wish, request.what))
    except (Problem, SQLAlchemyError) as error:
        return error
    gone = Problem(409, "The Screener is gone", "It was deleted just now. Name another.")
    return _shown((known, False)) if known else gone


def _shown(made: tuple[list[Job], bool]) -> Made:
    jobs, fresh = made
    return [shown.job(job) for job in jobs], fresh


class _Turn:
    """Requests that are taken in one transaction."""

    def __init__(self, here: Serving, session: Session) -> None:
        self._here, self._session = here, session
        self._room = here.settings.limits.queued_jobs - queue.waiting(session)
        self._screeners: dict[str | None, str] = {}
        removal.uploads_in_turn(session, removing=False)

    def take(self, request: Request) -> tuple[list[Job], bool] | Problem:
        """Add the jobs of a request, or return those that its key made before; or why neither can be."""
        try:
            return self._taken(request)
        except Problem as error:  # then nothing of it was added
            return error

    def _taken(self, request: Request) -> tuple[list[Job], bool]:
        print_of = _fingerprint(request.wish, request.what)
        known = _known(self._session, request.key, print_of)
        if known:
            return known, False
        screener = self._screener(request.wish.screener)
        if self._room <= 0:
            raise Problem(
                503, "The queue is full", "Too many jobs wait. Try again later.", {"Retry-After": "30"}
            )
        _demand_there(self._here, request.what)
        what = request.what
        parts: Sequence[list[File] | Path] = [what] if isinstance(what, Path) else what
        made = [
            _job(request.wish, screener, request.by, part, _nth(request.key, at), print_of)
            for at, part in enumerate(parts)
        ]
        self._room -= len(made)
        return [queue.enqueue(self._session, job) for job in made], True

    def _screener(self, asked: str | None) -> str:
        if asked not in self._screeners:
            with self._session.no_autoflush:
                self._screeners[asked] = _screener(self._session, asked)
        return self._screeners[asked]


def _demand_there(here: Serving, what: list[list[File]] | Path) -> None:
    """Raise Problem where an upload was removed meanwhile, with the last job that it was known of."""
    files = [] if isinstance(what, Path) else [file for part in what for file in part]
    if not all(here.home.upload(file.sha256, file.suffix).is_file() for file in files):
        raise Problem(
            503, "The upload is gone", "It was deleted just now. Send it again.", {"Retry-After": "1"}
        )


def _job(wish: Wish, screener: str, by: str, what: list[File] | Path, key: str | None, print_of: str) -> Job:
    identifier = new_id()
    job = Job(
        id=identifier,
        kind="path" if isinstance(what, Path) else "upload",
        screener=screener,
        options={**wish.options, "fingerprint": print_of},
        by=by[:200],
        idempotency_key=key,
    )
    if isinstance(what, Path):
        job.label, job.path = f"path {identifier[:4]}", str(what)
    else:
        job.label, job.total = f"upload {identifier[:4]}", len(what)
        job.files = [_anew(file) for file in what]
    return job


def _anew(file: File) -> File:
    """Return a row of its own of a file: one that was rolled back with another request is not added again."""
    return File(
        index=file.index,
        kind=file.kind,
        sha256=file.sha256,
        bytes=file.bytes,
        suffix=file.suffix,
        name=file.name,
    )


def _nth(key: str | None, at: int) -> str | None:
    return key if key is None or at == 0 else f"{key}:{at}"


def _known(session: Session, key: str | None, print_of: str) -> list[Job]:
    """Return the jobs that a key made; raise Problem where they were made of something else."""
    if key is None:
        return []
    same = select(Job).where((Job.idempotency_key == key) | Job.idempotency_key.startswith(f"{key}:"))
    rows = sorted(session.scalars(same), key=_place)
    if rows and rows[0].options.get("fingerprint") != print_of:
        raise Problem(
            422, "Another request", "This Idempotency-Key was sent before with other content. Take a new one."
        )
    return rows


def _place(row: Job) -> int:
    return int((row.idempotency_key or "").partition(":")[2] or 0)


def _fingerprint(wish: Wish, what: list[list[File]] | Path) -> str:
    """Return a hash of all that a request asks for."""
    content = str(what) if isinstance(what, Path) else [[file.sha256 for file in part] for part in what]
    told = json.dumps([wish.screener, wish.results, wish.judge_all, wish.split, content])
    return hashlib.sha256(told.encode()).hexdigest()


def _screener(session: Session, asked: str | None) -> str:
    """Return the identifier of the Screener that is asked for, or of the default one; raise Problem."""
    row = select(Screener.id, Screener.retired)
    if asked is None:
        found = session.execute(row.where(Screener.default, ~Screener.retired).limit(1)).first()
    else:
        found = session.execute(row.where(Screener.id == asked)).first()
    if found is None and asked is None:
        raise Problem(409, "No Screener", "There is no default Screener. Upload one, or name one.")
    if found is None:
        raise Problem(422, "No such Screener", "screener: there is none of this identifier.")
    if found[1]:
        raise Problem(409, "The Screener is retired", "Name another, or let it be used again.")
    return str(found[0])
