"""The job of a study that is complete."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from atypia.service.intake.refused import Refused
from atypia.service.store import queue
from atypia.service.store.models import Job, Screener, Study
from atypia.service.store.screeners import default_of


def job_of_study(
    session: Session,
    study: Study,
    *,
    screener: str | None = None,
    results: tuple[str, ...] = (),
    judge_all: bool = False,
    by: str | None = None,
) -> Job:
    """Return a new job that judges a study as it is now, in the transaction of `session`.

    It is judged by the Screener named, else by the default one. Raises Refused where there is none.
    """
    chosen = session.get(Screener, screener) if screener else default_of(session)
    if chosen is None:
        raise Refused(409, "No Screener", "Expected a Screener to judge studies with. Add one first.")
    options: dict[str, Any] = {
        "judge_all": judge_all,
        "results": list(results),
        "study_version": study.version,
    }
    job = Job(kind="study", screener=chosen.id, study=study.id, options=options, by=by)
    job.label = f"study {study.key[:8]}"
    return queue.enqueue(session, job)
