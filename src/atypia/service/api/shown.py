"""From the rows of the database to what goes over the wire."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from atypia.service import alike
from atypia.service.api import schemas
from atypia.service.home import Home
from atypia.service.store import models

API = "/api/v1"
THUMBNAIL = "thumbnail.webp"


def plain(value: Any) -> Any:
    """Return JSON values with null in place of numbers that are none.

    >>> plain({"score": float("nan"), "slices": [1.5, float("inf")]})
    {'score': None, 'slices': [1.5, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def job(row: models.Job) -> schemas.Job:
    """Return a job."""
    counts = {verdict: int(row.counts.get(verdict, 0)) for verdict in models.VERDICTS}
    return schemas.Job.model_validate(
        {
            **{name: getattr(row, name) for name in schemas.Job.model_fields if name != "findings"},
            "findings": counts,
        }
    )


def finding_row(row: models.Finding) -> schemas.FindingRow:
    """Return a finding as a row."""
    return schemas.FindingRow.model_validate(_row(row))


def finding(row: models.Finding, previous: str | None, following: str | None) -> schemas.Finding:
    """Return a finding with all that is shown of it."""
    values = plain(row.values)
    return schemas.Finding.model_validate(
        {
            **_row(row),
            "regions": list(values.get("regions") or ()),
            "map": values.get("map"),
            "spacing": values.get("spacing"),
            "slice_findings": list(values.get("slice_findings") or ()),
            "look_at": list(values.get("look_at") or ()),
            "affine": values.get("affine"),
            "notes": list(values.get("notes") or ()),
            "heat_scale": values.get("heat_scale"),
            "rarities": list(values.get("rarities") or ()),
            "files": [_file(row, entry) for entry in row.files],
            "previous": previous,
            "next": following,
            "highest": plain(row.highest),
            "reviewed": row.reviewed,
            "reviewed_by": row.reviewed_by,
            "healthy": f"{API}/screeners/{row.screener}/healthy",
        }
    )


def _row(row: models.Finding) -> dict[str, Any]:
    told = {
        name: getattr(row, name)
        for name in schemas.FindingRow.model_fields
        if name not in ("feedback", "thumbnail")
    }
    has_thumbnail = any(entry.get("name") == THUMBNAIL for entry in row.files)
    told["thumbnail"] = file_url(row.id, THUMBNAIL) if has_thumbnail else None
    told["feedback"] = [one.label for one in row.feedback]
    return {name: plain(value) for name, value in told.items()}


def _file(row: models.Finding, entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": entry["name"],
        "url": file_url(row.id, entry["name"]),
        "bytes": entry["bytes"],
        "media_type": entry["media_type"],
    }


def file_url(finding: str, name: str) -> str:
    """Return where a file of a finding is fetched."""
    return f"{API}/findings/{finding}/files/{name}"


def feedback(row: models.Feedback) -> schemas.Feedback:
    """Return feedback."""
    return schemas.Feedback.model_validate(
        {name: getattr(row, name) for name in schemas.Feedback.model_fields}
    )


def screeners(session: Session, rows: list[models.Screener], home: Home) -> list[schemas.Screener]:
    """Return Screeners, with how many findings each has."""
    counted = (
        select(models.Finding.screener, func.count())
        .where(models.Finding.screener.in_([row.id for row in rows]))
        .group_by(models.Finding.screener)
    )
    counts = {screener: int(count) for screener, count in session.execute(counted)}
    return [_screener(row, counts.get(row.id, 0), home) for row in rows]


_OF_DETAILS = ("healthy_count", "groups", "planes", "heat_scale", "has_reconstruction")


def _screener(row: models.Screener, findings: int, home: Home) -> schemas.Screener:
    details = plain(row.details)
    told = {name: getattr(row, name) for name in schemas.Screener.model_fields if hasattr(row, name)}
    told |= {name: details.get(name) for name in _OF_DETAILS}
    told["planes"] = list(details.get("planes") or ())
    told["has_reconstruction"] = bool(details.get("has_reconstruction"))
    return schemas.Screener.model_validate(
        {**told, "findings": findings, "has_alike": alike.is_there(home, row.sha256)}
    )
