"""Findings: the worklist, one finding, its files, what looks like it, and what readers say of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from atypia.service import alike
from atypia.service.api import schemas, shown
from atypia.service.api.problems import Problem, not_found
from atypia.service.api.roles import Admin, Reader, Viewer
from atypia.service.api.serving import Here
from atypia.service.store import events, removal
from atypia.service.store.findings import Filter, list_findings, neighbours
from atypia.service.store.models import Finding, Screener, now
from atypia.service.work.drawing import fetched

router = APIRouter(tags=["findings"])
Share = Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)]
Identifier = Annotated[str | None, Query(pattern=schemas.HEXADECIMAL)]


@router.get("/findings")
def list_of_findings(
    here: Here,
    _user: Viewer,
    verdict: Annotated[list[schemas.Verdict] | None, Query(max_length=4)] = None,
    review: Annotated[list[schemas.Review] | None, Query(max_length=3)] = None,
    feedback: schemas.Label | None = None,
    screener: Identifier = None,
    job: Identifier = None,
    study: Identifier = None,
    kind: schemas.FindingKind | None = None,
    p_min: Share = None,
    p_max: Share = None,
    since: schemas.Time | None = None,
    q: Annotated[
        str | None,
        Query(max_length=200, pattern="^[^\\x00]*$", description="Text in label, plane, sequence."),
    ] = None,
    sort: schemas.Order = "p_value",
    limit: schemas.Limit = 50,
    cursor: schemas.Cursor = None,
) -> schemas.Counted[schemas.FindingRow]:
    """List findings, by default the least like healthy scans first; those without a p-value last."""
    asked = Filter(
        verdict or (),
        review or (),
        feedback,
        screener,
        job,
        study,
        kind,
        p_min,
        p_max,
        since,
        q,
    )
    with here.store.session() as session:
        rows, following, total = list_findings(session, asked, sort, limit, cursor)
        items = [shown.finding_row(row) for row in rows]
    return schemas.Counted[schemas.FindingRow](items=items, next=following, total=total)


@router.get("/findings/{finding}")
def get_finding(here: Here, _user: Viewer, finding: schemas.InPath) -> schemas.Finding:
    """Tell all of one finding."""
    with here.store.session() as session:
        return _shown(session, finding)


@router.delete("/findings/{finding}", status_code=204)
def delete_finding(here: Here, _user: Admin, finding: schemas.InPath) -> None:
    """Delete one finding, with its files and its feedback."""
    with here.store.write() as session:
        gone = removal.remove_finding(session, found(session, finding))
    removal.clear(here.store, here.home, gone)


@router.put("/findings/{finding}/review")
def review_finding(
    here: Here, user: Reader, finding: schemas.InPath, change: schemas.ReviewChange
) -> schemas.Finding:
    """Accept or reject a finding, or take that back."""
    with here.store.write() as session:
        row = found(session, finding)
        row.review = change.state
        taken_back = change.state == "none"
        row.reviewed_by, row.reviewed = (None, None) if taken_back else (user.name[:200], now())
        events.emit(session, "finding", row.id, row.job)
        return _shown(session, finding)


@router.get("/findings/{finding}/alike")
def alike_of(
    here: Here,
    _user: Viewer,
    finding: schemas.InPath,
    n: Annotated[int, Query(ge=1, le=20)] = 5,
) -> list[schemas.Alike]:
    """Return the healthy scans that look most like a picture, where the server keeps some (404 else)."""
    with here.store.session() as session:
        row = found(session, finding)
        sha256 = session.get_one(Screener, row.screener).sha256
    if row.kind != "picture":
        raise Problem(404, "Not of volumes", "Healthy scans that look alike are told of pictures alone.")
    try:
        prepared = fetched(here.home, row, alike.PREPARED, sha256)
        nearest = alike.alike(here.home, sha256, prepared, n)
    except FileNotFoundError as error:
        raise Problem(
            404,
            "No healthy scans",
            "The server keeps no healthy scans of this Screener, or none can be compared with this finding. "
            "An administrator can name some with --healthy.",
        ) from error
    return [schemas.Alike(distance=one.distance, thumbnail=one.data_url) for one in nearest]


def found(session: Session, finding: str) -> Finding:
    """Return a finding; raise Problem where it is not there."""
    row = session.get(Finding, finding)
    if row is None:
        raise not_found("finding")
    return row


def _shown(session: Session, finding: str) -> schemas.Finding:
    row = found(session, finding)
    return shown.finding(row, *neighbours(session, row))
