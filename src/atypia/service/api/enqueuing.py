"""Jobs put into the queue: whole or not at all, and the same request only once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from atypia.service.api import schemas, shown
from atypia.service.api.problems import Problem
from atypia.service.api.serving import Serving
from atypia.service.store import queue, removal, screeners
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


def enqueue(
    here: Serving, by: str, key: str | None, wish: Wish, what: list[list[File]] | Path
) -> tuple[list[schemas.Job], bool]:
    """Put jobs into the queue, or return those that the key made before, and tell which it was."""
    print_of = _fingerprint(wish, what)
    try:
        with here.store.write() as session:
            known = _known(session, key, print_of)
            if known:
                return known, False
            screener = _screener(session, wish.screener)
            if queue.waiting(session) >= here.settings.limits.queued_jobs:
                raise Problem(
                    503, "The queue is full", "Too many jobs wait. Try again later.", {"Retry-After": "30"}
                )
            removal.uploads_in_turn(session, removing=False)
            _demand_there(here, what)
            parts: Sequence[list[File] | Path] = [what] if isinstance(what, Path) else what
            jobs = [
                queue.enqueue(session, _job(wish, screener, by, part, _nth(key, at), print_of))
                for at, part in enumerate(parts)
            ]
            return [shown.job(job) for job in jobs], True
    except IntegrityError as error:  # another request with this key was faster, or one that deleted
        with here.store.session() as session:
            known = _known(session, key, print_of)
        if not known:
            raise Problem(409, "The Screener is gone", "It was deleted just now. Name another.") from error
        return known, False


def _demand_there(here: Serving, what: list[list[File]] | Path) -> None:
    """Raise Problem where an upload was removed meanwhile, with the last job that it was known of."""
    files = [] if isinstance(what, Path) else [file for part in what for file in part]
    if not all(here.home.upload(file.sha256, file.suffix).is_file() for file in files):
        raise Problem(
            503, "The upload is gone", "It was deleted just now. Send it again.", {"Retry-After": "1"}
        )


def _job(
    wish: Wish, screener: Screener, by: str, what: list[File] | Path, key: str | None, print_of: str
) -> Job:
    identifier = new_id()
    job = Job(
        id=identifier,
        kind="path" if isinstance(what, Path) else "upload",
        screener=screener.id,
        options={**wish.options, "fingerprint": print_of},
        by=by[:200],
        idempotency_key=key,
    )
    if isinstance(what, Path):
        job.label, job.path = f"path {identifier[:4]}", str(what)
    else:
        job.label, job.files, job.total = f"upload {identifier[:4]}", what, len(what)
    return job


def _nth(key: str | None, at: int) -> str | None:
    return key if key is None or at == 0 else f"{key}:{at}"


def _known(session: Session, key: str | None, print_of: str) -> list[schemas.Job]:
    """Return the jobs that a key made; raise Problem where they were made of something else."""
    if key is None:
        return []
    same = select(Job).where((Job.idempotency_key == key) | Job.idempotency_key.startswith(f"{key}:"))
    rows = sorted(session.scalars(same), key=_place)
    if rows and rows[0].options.get("fingerprint") != print_of:
        raise Problem(
            422, "Another request", "This Idempotency-Key was sent before with other content. Take a new one."
        )
    return [shown.job(row) for row in rows]


def _place(row: Job) -> int:
    return int((row.idempotency_key or "").partition(":")[2] or 0)


def _fingerprint(wish: Wish, what: list[list[File]] | Path) -> str:
    """Return a hash of all that a request asks for."""
    content = str(what) if isinstance(what, Path) else [[file.sha256 for file in part] for part in what]
    told = json.dumps([wish.screener, wish.results, wish.judge_all, wish.split, content])
    return hashlib.sha256(told.encode()).hexdigest()


def _screener(session: Session, asked: str | None) -> Screener:
    found = screeners.default_of(session) if asked is None else session.get(Screener, asked[:32])
    if found is None or (asked is not None and found.id != asked):
        if asked is None:
            raise Problem(409, "No Screener", "There is no default Screener. Upload one, or name one.")
        raise Problem(422, "No such Screener", "screener: there is none of this identifier.")
    if found.retired:
        raise Problem(409, "The Screener is retired", "Name another, or let it be used again.")
    return found
