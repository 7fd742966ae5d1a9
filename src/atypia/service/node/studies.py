"""When a study is complete, and what then happens to it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased
from structlog import get_logger

from atypia.service.home import Home
from atypia.service.intake import Refused, job_of_study
from atypia.service.node.counters import STUDIES
from atypia.service.node.recording import ASIDE, COMPLETE, RECEIVING
from atypia.service.node.settings import NodeSettings
from atypia.service.store import events, jumps, removal
from atypia.service.store.clock import moment
from atypia.service.store.database import Store
from atypia.service.store.models import ENDED, Feedback, Finding, Job, Study

AT_ONCE = 20
_NO_IMAGES = "It holds no MR images that could be judged."
_log = get_logger(__name__)


def complete_due(store: Store, settings: NodeSettings, at: datetime | None = None) -> int:
    """Make jobs of the studies that are complete at a moment, now by default; return how many.

    A study is complete when nothing of it came for `quiet_seconds`, or, the first time, when it has
    `complete_at` images. Where more of it comes later, it is complete again after another such time, and
    judged anew. Several servers on one database do not take the same study.
    """
    with store.session() as session:
        due = _due(settings, at or moment(session))
        if session.scalar(select(func.count()).select_from(Study).where(due)) == 0:
            return 0
    with store.write() as session:
        asked = select(Study).where(due).order_by(Study.last).limit(AT_ONCE)
        studies = list(session.scalars(asked.with_for_update(skip_locked=True)))
        return sum(_complete(session, study, settings) for study in studies)


def _due(settings: NodeSettings, moment: datetime) -> ColumnElement[bool]:
    quiet = Study.last <= moment - timedelta(seconds=settings.quiet_seconds)
    if settings.complete_at is not None:
        images = Study.instances - func.coalesce(Study.objects, 0)
        quiet = or_(quiet, and_(Study.version == 0, images >= settings.complete_at))
    return and_(Study.state == RECEIVING, quiet)


def _complete(session: Session, study: Study, settings: NodeSettings) -> bool:
    """Make a job of a study; tell whether there is one."""
    events.emit(session, "study", study.id)
    if study.instances - (study.objects or 0) <= 0:
        study.state, study.error = ASIDE, _NO_IMAGES
        STUDIES.labels("aside").inc()
        return False
    study.version += 1
    try:
        job = job_of_study(session, study, results=settings.results)
    except Refused as refused:  # as where no Screener is there: it is tried again after another quiet time
        study.version -= 1
        study.last, study.error = moment(session), refused.detail or refused.title
        STUDIES.labels("refused").inc()
        _log.warning("study.refused", study=study.id, why=refused.title)
        return False
    study.state, study.error = COMPLETE, None
    STUDIES.labels("judged").inc()
    _log.info("study.complete", study=study.id, version=study.version, instances=study.instances, job=job.id)
    return True


def supersede(store: Store, home: Home) -> int:
    """Delete what was found of a study before it grew, once it was judged as it is now; return how many jobs.

    What somebody reviewed, or gave feedback on, stays.
    """
    newer = aliased(Job)
    touched = exists().where(Finding.job == Job.id, Finding.review != "none") | exists().where(
        Finding.job == Job.id, Feedback.finding == Finding.id
    )
    old = select(Job.id).where(
        Job.study.is_not(None),
        Job.state == "done",
        exists().where(newer.study == Job.study, newer.state == "done", newer.created > Job.created),
        ~touched,
    )
    with store.session() as session:
        found = list(session.scalars(old.limit(AT_ONCE)))
    for job in found:
        with store.write() as session:
            row = session.get(Job, job)
            gone = None if row is None else removal.remove_job(session, row)
        if gone is not None:
            removal.clear(store, home, gone)
    return len(found)


def forget_old(store: Store, home: Home, settings: NodeSettings, at: datetime | None = None) -> int:
    """Delete the instances of studies of which nothing came for `keep_days`; what was found of them stays."""
    if settings.keep_days is None:
        return 0
    with store.session() as session:
        if not jumps.is_believed(session):
            return 0
        before = (at or moment(session)) - timedelta(days=settings.keep_days)
        old = select(Study.id).where(Study.state != RECEIVING, Study.last < before).limit(AT_ONCE)
        found = list(session.scalars(old))
    return sum(remove(store, home, study) for study in found)


def remove(store: Store, home: Home, study: str) -> bool:
    """Delete a study with its instances, unless one of its jobs waits or runs; tell whether it is gone."""
    with store.write() as session:
        row = session.scalars(select(Study).where(Study.id == study).with_for_update()).first()
        busy = exists().where(Job.study == study, Job.state.not_in(ENDED))
        if row is None or session.scalar(select(busy)):
            return False
        session.delete(row)
        events.emit(session, "study", study)
    home.discard(home.study(study))
    return True
