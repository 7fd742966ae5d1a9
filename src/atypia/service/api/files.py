"""The files of a finding: but for what tells the threshold each is what it was for ever, and fetched once."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import FileResponse
from sqlalchemy import select

from atypia.service.api import schemas
from atypia.service.api.findings import found
from atypia.service.api.problems import Problem
from atypia.service.api.roles import Viewer
from atypia.service.api.serving import Here
from atypia.service.store.models import Finding, Screener
from atypia.service.work.drawing import fetched
from atypia.service.work.picture_files import DRAWN

router = APIRouter(tags=["findings"])
FOR_EVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"
"""Of what tells the threshold, which may be changed: browsers keep it, and ask whether it is still right."""
PACKED = ("map.bin.gz", "p.bin.gz")
"""Arrays that lie packed; browsers unpack them on their way in."""
INLINE = ("image/", "text/html", "application/octet-stream")


@router.get(
    "/findings/{finding}/files/{name:path}",
    response_class=Response,
    responses={
        200: {"content": {"application/octet-stream": {}, "image/*": {}, "text/html": {}}},
        206: {"description": "A part, as the header Range asks."},
        304: {"description": "It is what If-None-Match says."},
    },
)
def get_file(
    request: Request,
    here: Here,
    _user: Viewer,
    finding: schemas.InPath,
    name: Annotated[str, Path(max_length=300)],
) -> Response:
    """Fetch one of the `files` of a finding. `map.bin.gz` and `p.bin.gz` come with Content-Encoding: gzip."""
    with here.store.session() as session:
        row = found(session, finding)
        screener = session.scalar(select(Screener.sha256).where(Screener.id == row.screener))
        entry = next((one for one in row.files if one.get("name") == name), None)
    if entry is None:
        raise _none()
    media_type = str(entry["media_type"])
    decided = name in DRAWN and entry["bytes"] is None
    tag = f'"{finding}-{_decision(row) if decided else format(entry["bytes"] or 0, "x")}"'
    headers = {"Cache-Control": ASK_AGAIN if decided else FOR_EVER, "ETag": tag}
    if name in PACKED:
        headers["Content-Encoding"], media_type = "gzip", "application/octet-stream"
    if _has(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    try:
        file = fetched(here.home, row, name, screener or "")
    except FileNotFoundError as error:
        raise _none() from error
    disposition = "inline" if media_type.startswith(INLINE) else "attachment"
    if isinstance(file, bytes):
        headers["Content-Disposition"] = f'{disposition}; filename="{name}"'
        return Response(file, headers=headers, media_type=media_type)
    return FileResponse(
        file,
        headers=headers,
        media_type=media_type,
        filename=name.rpartition("/")[2],
        content_disposition_type=disposition,
    )


def _decision(row: Finding) -> str:
    """Return what a threshold made of a finding, by what drew it, as a hash."""
    told = (row.verdict, row.flagged, row.threshold, row.score, row.p_value, row.stratum, version("atypia"))
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _none() -> Problem:
    return Problem(404, "No such file", "The finding has no file of this name; see its `files`.")


def _has(tags: str, tag: str) -> bool:
    """Tell whether a header If-None-Match names a tag (RFC 9110, section 13.1.2)."""
    return tags.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in tags.split(","))
