"""Thresholds of stored Screeners: what another one would do to the findings, and changing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, and_, case, func, literal, select, update
from sqlalchemy.orm import Session

from atypia.artefact import Artefact, read_artefact, write_artefact
from atypia.service.home import Home
from atypia.service.store import events, screeners
from atypia.service.store.deciding import JUDGED, decide, groups_of
from atypia.service.store.models import Finding, Job, Screener
from atypia.threshold import Threshold
from atypia.threshold.guarantee import guarantee

NAMED = 20


@dataclass(frozen=True)
class Effect:
    """What a threshold does to the judged findings of a Screener; up to 20 of each kind are named."""

    total: int
    flagged_before: int
    flagged_after: int
    newly_count: int
    no_longer_count: int
    newly: tuple[str, ...]
    no_longer: tuple[str, ...]


def threshold_of(screener: Screener) -> Threshold:
    """Return the threshold of a Screener with its calibration, without loading its file."""
    return Threshold.from_dict(screener.details["threshold"])


def with_rule(screener: Screener, rule: str, parameter: float | None) -> Threshold:
    """Return another rule on the same healthy scores; raise BadOption, NotEnoughScans."""
    now = threshold_of(screener)
    return Threshold.of(now.calibration, rule, parameter, now.strata)


def lowest_p(threshold: Threshold, value: float) -> float:
    """Return the p-value of the lowest score above a value: the highest that is flagged there."""
    return float(threshold.p_values([np.nextafter(value, np.inf)])[0])


def nearest_rule(threshold: Threshold, value: float) -> tuple[str, float]:
    """Return the rule, and its parameter, that flags what is above a value or as nearly so as it can.

    That is the conformal rule; where that would flag every healthy scan, `mean+std`.
    """
    alpha = lowest_p(threshold, value)
    if alpha < 1:
        return "conformal", alpha
    spread = float(threshold.healthy.std())
    return "mean+std", (value - float(threshold.healthy.mean())) / (spread or 1.0)


def effect_of(session: Session, screener: str, threshold: Threshold | float) -> Effect:
    """Return what a threshold, or one score for all strata, would do, computed in the database."""
    judged = and_(Finding.screener == screener, Finding.verdict.in_(JUDGED))
    after = _measure() > _value(session, screener, threshold)
    before = func.coalesce(Finding.flagged, False)
    newly, no_longer = and_(after, ~before), and_(~after, before)
    counts = session.execute(
        select(
            func.count(), *(func.sum(case((one, 1), else_=0)) for one in (before, after, newly, no_longer))
        )
        .select_from(Finding)
        .where(judged)
    ).one()
    total, flagged, then, more, fewer = (int(count or 0) for count in counts)
    names = _named(session, judged, newly), _named(session, judged, no_longer)
    return Effect(total, flagged, then, more, fewer, *names)


def changed_file(home: Home, screener: Screener, threshold: Threshold) -> str:
    """Write the file of a Screener with another threshold, beside its own, and return its hash."""
    artefact = read_artefact(home.screener(screener.sha256))
    head = {**artefact.head, "threshold": threshold.to_dict()}
    with home.scratch() as folder:
        file = folder / "screener.atypia"
        write_artefact(Artefact(head, artefact.arrays, artefact.graphs), file)
        return screeners.keep(home, file)


def change(session: Session, home: Home, old: Screener, threshold: Threshold, sha256: str) -> Screener:
    """Put the version with another threshold in the place of a Screener, and decide its findings anew.

    The old version stays, retired. Jobs that wait are judged by the new one; one that is under way ends with
    the old. All in the transaction of `session`.
    """
    before = threshold_of(old)
    told = {
        "detector": old.detector,
        "version": old.version,
        "rule": threshold.rule,
        "parameter": threshold.parameter,
        "value": threshold.value,
        "guarantee": guarantee(threshold),
        "details": _details(old, threshold),
    }
    size, was_default = home.screener(sha256).stat().st_size, old.default
    old.default, old.retired = False, True
    session.flush()
    new = screeners.register(
        session, sha256, told, name=old.name, size=size, default=was_default, replaces=old.id
    )
    new.retired = False
    for group in groups_of(session, old.id):
        decide(session, old.id, group, before, threshold)
    session.execute(update(Finding).where(Finding.screener == old.id).values(screener=new.id))
    session.execute(update(Job).where(Job.screener == old.id, Job.state == "queued").values(screener=new.id))
    events.emit(session, "screener", old.id)
    events.emit(session, "screener", new.id)
    return new


def _details(old: Screener, threshold: Threshold) -> dict[str, Any]:
    details = {**old.details, "threshold": threshold.to_dict()}
    if "card" in details:
        details["card"] = {**details["card"], "threshold": threshold.card()}
    return details


def _measure() -> ColumnElement[float]:
    """Return what the threshold decides on: a picture's score, the highest of a volume's slices."""
    return case(
        (Finding.kind == "volume", func.coalesce(Finding.highest, Finding.score)), else_=Finding.score
    )


def _value(session: Session, screener: str, threshold: Threshold | float) -> ColumnElement[float]:
    if not isinstance(threshold, Threshold):
        return literal(threshold)
    if not threshold.strata:
        return literal(threshold.value)
    parts = [(group.condition(), group.of(threshold)[0].value) for group in groups_of(session, screener)]
    return case(*parts, else_=threshold.value) if parts else literal(threshold.value)


def _named(session: Session, judged: ColumnElement[bool], which: ColumnElement[bool]) -> tuple[str, ...]:
    asked = select(Finding.id).where(judged, which).order_by(Finding.p_value, Finding.id).limit(NAMED)
    return tuple(session.scalars(asked))
