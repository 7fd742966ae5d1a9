"""Findings as lists: filtered, in an order, page by page; and one among those of its job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.orm import Session, defer, selectinload

from atypia.service.store.cursor import Sort, page
from atypia.service.store.models import Feedback, Finding


def _sorts() -> Iterator[Sort]:
    yield Sort("p_value", Finding.p_value, Finding.id, ties=((Finding.score, True),))
    yield Sort("-p_value", Finding.p_value, Finding.id, descending=True, ties=((Finding.score, False),))
    for name, column in (("score", Finding.score), ("created", Finding.created)):
        yield Sort(name, column, Finding.id)
        yield Sort(f"-{name}", column, Finding.id, descending=True)


SORTS = {sort.name: sort for sort in _sorts()}
"""By what findings can be ordered; a leading minus puts the highest first.

Scans that are all above every healthy one have one p-value; among them the highest score counts as rarest.
"""


@dataclass(frozen=True)
class Filter:
    """Which findings are asked for; None, and no element, leave none out.

    `text` is looked for in label, plane, sequence and stratum. P-value limits are inclusive, and leave out
    findings without one.
    """

    verdicts: Sequence[str] = ()
    reviews: Sequence[str] = ()
    feedback: str | None = None
    screener: str | None = None
    job: str | None = None
    study: str | None = None
    kind: str | None = None
    p_min: float | None = None
    p_max: float | None = None
    since: datetime | None = None
    text: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return what must be true of a finding."""
        found: list[ColumnElement[bool]] = []
        if self.verdicts:
            found.append(Finding.verdict.in_(self.verdicts))
        if self.reviews:
            found.append(Finding.review.in_(self.reviews))
        equal = (
            (Finding.screener, self.screener),
            (Finding.job, self.job),
            (Finding.study, self.study),
            (Finding.kind, self.kind),
        )
        found += [column == value for column, value in equal if value is not None]
        if self.p_min is not None:
            found.append(Finding.p_value >= self.p_min)
        if self.p_max is not None:
            found.append(Finding.p_value <= self.p_max)
        if self.since is not None:
            found.append(Finding.created >= self.since)
        if self.feedback is not None:
            found.append(exists().where(Feedback.finding == Finding.id, Feedback.label == self.feedback))
        if self.text:
            columns = (Finding.label, Finding.plane, Finding.sequence, Finding.stratum)
            found.append(or_(*(column.icontains(self.text, autoescape=True) for column in columns)))
        return found


def list_findings(
    session: Session, asked: Filter, sort: str, limit: int, cursor: str | None
) -> tuple[Sequence[Finding], str | None, int]:
    """Return a page of findings with their feedback, the cursor of the next, and how many there are."""
    conditions = asked.conditions()
    rows, following = page(session, rows_of(*conditions), SORTS[sort], limit, cursor)
    total = session.scalar(select(func.count()).select_from(Finding).where(*conditions)) or 0
    return rows, following, total


def rows_of(*conditions: ColumnElement[bool]) -> Select[Finding]:
    """Return a statement for findings as rows: without what only a single one shows."""
    return select(Finding).where(*conditions).options(selectinload(Finding.feedback), defer(Finding.values))


def neighbours(session: Session, finding: Finding) -> tuple[str | None, str | None]:
    """Return those before and after a finding, in the order of p-values in its job."""
    sort = SORTS["p_value"]
    place = sort.place(finding)
    same = select(Finding.id).where(Finding.job == finding.job)
    before = session.scalar(same.where(sort.before(place)).order_by(*sort.backwards()).limit(1))
    after = session.scalar(same.where(sort.after(place)).order_by(*sort.order()).limit(1))
    return before, after
