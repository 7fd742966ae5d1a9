"""Findings decided anew: by another threshold on the scores that they have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, and_, case, select, update
from sqlalchemy.orm import Session

from atypia.service.store.models import Finding
from atypia.threshold import Threshold, volume_p_value

JUDGED = ("normal", "abnormal")
_POOLED = re.compile(r"pooled \((?P<name>.+) has \d+ of \d+ .*\)")
_AT_ONCE = 200


@dataclass(frozen=True)
class Group:
    """Findings that one threshold is for: those of a stratum, taken so."""

    stratum: str | None
    plane: str | None
    sequence: str | None

    def condition(self) -> ColumnElement[bool]:
        """Return what is true of them."""
        pairs = (
            (Finding.stratum, self.stratum),
            (Finding.plane, self.plane),
            (Finding.sequence, self.sequence),
        )
        return and_(*(column.is_(None) if value is None else column == value for column, value in pairs))

    def of(self, threshold: Threshold) -> tuple[Threshold, str | None]:
        """Return the part of a threshold that is for them, and the name of their stratum in it."""
        return threshold.for_scan(self._how(threshold.strata))

    def _how(self, strata: tuple[str, ...]) -> Mapping[str, str | None]:
        """Return how they were taken: by the name of their stratum where that tells, else as the row says."""
        pooled = _POOLED.fullmatch(self.stratum or "")
        name = pooled["name"] if pooled else self.stratum or ""
        told = dict(part.partition("=")[::2] for part in name.split(", "))
        if set(told) == set(strata):
            return dict(told)
        return {"plane": self.plane, "sequence": self.sequence}


def groups_of(session: Session, screener: str) -> list[Group]:
    """Return how the judged findings of a Screener part: each group has one threshold."""
    asked = (
        select(Finding.stratum, Finding.plane, Finding.sequence)
        .where(Finding.screener == screener, Finding.verdict.in_(JUDGED))
        .distinct()
    )
    return [Group(*row) for row in session.execute(asked)]


def decide(session: Session, screener: str, group: Group, before: Threshold, after: Threshold) -> None:
    """Decide the findings of a group anew: pictures in the database, volumes one after another."""
    (old, _), (new, stratum) = group.of(before), group.of(after)
    same = _same_calibration(old, new)
    here = and_(Finding.screener == screener, Finding.verdict.in_(JUDGED), group.condition())
    for volume in _each(session, and_(here, Finding.kind == "volume")):
        _decide_volume(volume, new, stratum, same=same)
    session.flush()
    pictures = and_(here, Finding.kind == "picture")
    if not same:
        for picture in _each(session, pictures):
            picture.p_value = float(new.p_values(np.array([picture.score]))[0])
        session.flush()
    above = Finding.score > new.value
    session.execute(
        update(Finding)
        .where(pictures)
        .values(
            threshold=new.value,
            flagged=above,
            verdict=case((above, "abnormal"), else_="normal"),
            stratum=stratum,
        )
        .execution_options(synchronize_session=False)
    )


def _each(session: Session, which: ColumnElement[bool]) -> Iterator[Finding]:
    identifiers = list(session.scalars(select(Finding.id).where(which)))
    for start in range(0, len(identifiers), _AT_ONCE):
        part = identifiers[start : start + _AT_ONCE]
        yield from session.scalars(select(Finding).where(Finding.id.in_(part)))


def _same_calibration(one: Threshold, other: Threshold) -> bool:
    return bool(
        np.array_equal(one.calibration.scores, other.calibration.scores)
        and np.array_equal(one.calibration.groups, other.calibration.groups)
    )


def _decide_volume(row: Finding, threshold: Threshold, stratum: str | None, *, same: bool) -> None:
    slices = [_slice(one, threshold, same=same) for one in row.values.get("slice_findings") or ()]
    highest = row.highest if row.highest is not None else row.score
    if highest is None:
        return
    row.flagged = highest > threshold.value
    row.verdict = "abnormal" if row.flagged else "normal"
    row.threshold, row.stratum = threshold.value, stratum
    if slices:
        row.values = {**row.values, "slice_findings": slices}
        row.slices_flagged = sum(one.get("flagged") is True for one in slices)
    if not same:
        row.p_value = _volume_p_value(row, threshold, slices)


def _slice(one: dict[str, Any], threshold: Threshold, *, same: bool) -> dict[str, Any]:
    if one.get("flagged") is None or one.get("score") is None:
        return one
    told = {**one, "flagged": one["score"] > threshold.value}
    return told if same else {**told, "p_value": float(threshold.p_values([one["score"]])[0])}


def _volume_p_value(row: Finding, threshold: Threshold, slices: list[dict[str, Any]]) -> float | None:
    if row.p_kind == "volume" and row.score is not None:
        return volume_p_value(threshold.calibration, row.score, row.plane)
    known = [one["p_value"] for one in slices if one.get("p_value") is not None]
    return min(known, default=row.p_value)
