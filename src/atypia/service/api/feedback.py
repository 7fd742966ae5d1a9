"""What readers say that scans really are, and the table of it."""

from __future__ import annotations

from collections.abc import Generator
from itertools import chain
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from atypia.service.api import schemas, shown
from atypia.service.api.findings import found
from atypia.service.api.problems import Problem, not_found
from atypia.service.api.roles import Reader, Viewer
from atypia.service.api.serving import Here, Serving
from atypia.service.store import events, feedback
from atypia.service.store.models import Feedback, Finding

router = APIRouter(tags=["feedback"])
MEDIA = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


@router.get("/findings/{finding}/feedback")
def list_feedback(here: Here, _user: Viewer, finding: schemas.InPath) -> list[schemas.Feedback]:
    """List what readers say of a finding, the oldest first."""
    with here.store.session() as session:
        return [shown.feedback(row) for row in found(session, finding).feedback]


@router.post("/findings/{finding}/feedback", status_code=201)
def give_feedback(
    here: Here, user: Reader, finding: schemas.InPath, given: schemas.FeedbackGiven
) -> schemas.Feedback:
    """Say what a scan really is; it takes the place of what you said before of it."""
    with here.store.write() as session:
        row = feedback.give(session, found(session, finding), given.label, given.note, user.name[:200])
        return shown.feedback(row)


@router.delete("/feedback/{feedback}", status_code=204)
def delete_feedback(
    here: Here, user: Reader, given: Annotated[str, Path(alias="feedback", pattern=schemas.HEXADECIMAL)]
) -> None:
    """Take back what was said; that of others takes the role admin."""
    with here.store.write() as session:
        row = session.get(Feedback, given)
        if row is None:
            raise not_found("feedback")
        if row.by != user.name[:200] and user.role != "admin":
            raise Problem(403, "Not allowed", "To delete what another reader said takes the role admin.")
        finding = session.get_one(Finding, row.finding)
        finding.feedback.remove(row)
        events.emit(session, "finding", finding.id, finding.job)


@router.get(
    "/feedback.{form}",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}, "application/vnd.apache.parquet": {}}}},
)
def export_feedback(
    here: Here,
    _user: Reader,
    form: Annotated[Literal["csv", "parquet"], Path()],
    screener: Annotated[str | None, Query(pattern=schemas.HEXADECIMAL)] = None,
) -> StreamingResponse:
    """Fetch what readers said as a table of scans, to calibrate or evaluate on.

    Its paths name uploads by their content, below the data folder of the server: give that as --root.
    """
    pieces = _table(here, form, screener)
    first = next(pieces)
    headers = {"Content-Disposition": f'attachment; filename="feedback.{form}"', "Cache-Control": "no-store"}
    return _Closed(first, pieces, headers, MEDIA[form])


class _Closed(StreamingResponse):
    """Sends pieces, and closes what makes them whether all were sent or not."""

    def __init__(
        self, first: bytes, pieces: Generator[bytes], headers: dict[str, str], media_type: str
    ) -> None:
        super().__init__(chain([first], pieces), 200, headers, media_type)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._pieces.close()


def _table(here: Serving, form: str, screener: str | None) -> Generator[bytes]:
    with here.home.scratch() as folder:
        path = folder / f"feedback.{form}"
        with here.store.session() as session:
            feedback.write_table(session, here.home, path, screener)
        with path.open("rb") as file:
            yield from iter(lambda: file.read(2**18), b"")
