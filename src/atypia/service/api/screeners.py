"""Screeners: list, add, change, and what is known of each."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from sqlalchemy import exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from atypia.errors import ArtefactError, BadSignature
from atypia.notice import RESEARCH_USE_ONLY
from atypia.service.api import schemas, shown
from atypia.service.api.multipart import Form, boundary_of, read_form
from atypia.service.api.problems import Problem, not_found
from atypia.service.api.roles import Admin, Viewer
from atypia.service.api.serving import Here, Serving
from atypia.service.intake.refused import full_disk
from atypia.service.store import events, screeners, trust
from atypia.service.store.models import Finding, Job, Screener
from atypia.signing import demand_signature

router = APIRouter(tags=["screeners"])
SIGNATURE = "signature"
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "What `atypia fit` saved.",
                        },
                        "signature": {
                            "type": "string",
                            "description": "What `atypia sign` wrote beside it, as a field or a file.",
                        },
                        "name": {"type": "string"},
                        "default": {"type": "boolean"},
                    },
                }
            }
        },
    }
}


@router.get("/screeners")
def list_screeners(here: Here, _user: Viewer) -> list[schemas.Screener]:
    """List all Screeners and their versions, those in use first."""
    order = (Screener.retired, Screener.default.desc(), Screener.created.desc(), Screener.id)
    with here.store.session() as session:
        return shown.screeners(session, list(session.scalars(select(Screener).order_by(*order))), here.home)


@router.get("/screeners/{screener}")
def get_screener(here: Here, _user: Viewer, screener: schemas.InPath) -> schemas.Screener:
    """Tell of one Screener."""
    with here.store.session() as session:
        return _shown(session, here, found(session, screener))


@router.get("/screeners/{screener}/card")
def get_card(here: Here, _user: Viewer, screener: schemas.InPath) -> dict[str, Any]:
    """Tell what there is to know of a Screener, as a table for each part."""
    with here.store.session() as session:
        card = shown.plain(found(session, screener).details.get("card") or {})
    assert isinstance(card, dict)
    return card


@router.get("/screeners/{screener}/card.html", response_class=HTMLResponse)
def get_card_page(here: Here, _user: Viewer, screener: schemas.InPath) -> HTMLResponse:
    """Show the same as a page."""
    with here.store.session() as session:
        row = found(session, screener)
        return HTMLResponse(_page(row.name, row.guarantee, row.details.get("card") or {}))


@router.put("/screeners/{screener}")
def change_screener(
    here: Here, _user: Admin, screener: schemas.InPath, change: schemas.ScreenerChange
) -> schemas.Screener:
    """Rename a Screener, make it the default, retire it, or use it again."""
    with here.store.write() as session:
        row = found(session, screener)
        if change.default or change.retired is False:
            _demand_trusted(here, row.sha256)
        if change.name is not None:
            row.name = change.name
        if change.retired is not None:
            row.retired = change.retired
            row.default = row.default and not change.retired
        if change.default is not None:
            _set_default(session, row, default=change.default)
        events.emit(session, "screener", row.id)
        session.flush()
        return _shown(session, here, row)


@router.delete("/screeners/{screener}", status_code=204, responses={409: {"model": schemas.ProblemDetails}})
def delete_screener(here: Here, _user: Admin, screener: schemas.InPath) -> None:
    """Delete a Screener that no job and no finding needs; retire it else."""
    try:
        with here.store.write() as session:
            row = found(session, screener)
            for column in (Job.screener, Finding.screener):
                if session.scalar(select(exists().where(column == row.id))):
                    raise _needed()
            session.execute(update(Screener).where(Screener.replaces == row.id).values(replaces=None))
            sha256 = row.sha256
            events.emit(session, "screener", row.id)
            session.delete(row)
            session.flush()
            here.home.discard(here.home.signature(sha256))
            here.home.discard(here.home.screener(sha256))  # within, lest one that is added now loses its file
    except IntegrityError as error:  # a job that was made just now
        raise _needed() from error


def _needed() -> Problem:
    return Problem(
        409, "The Screener is needed", "Jobs or findings are of it. Retire it, or delete those first."
    )


@router.post(
    "/screeners",
    status_code=201,
    response_model=schemas.Screener,
    openapi_extra=_FORM,
    responses={
        200: {"description": "It was there already.", "model": schemas.Screener},
        403: {"description": "It is not signed as this server demands.", "model": schemas.ProblemDetails},
    },
)
async def add_screener(request: Request, here: Here, _user: Admin) -> Response:
    """Add a Screener: the file is checked by loading it in a process of its own.

    Where the server demands signatures (see `about`), its `signature` comes with it.
    """
    most = here.settings.limits.screener_bytes
    form: Form[Path] = Form(boundary_of(request), lambda _: _Kept(here, most), 2)
    try:
        await read_form(request, form, most)
        if sum(place != SIGNATURE for place in form.places) != 1:
            raise Problem(
                422, "No file", "Expected one part with the file of a Screener, called file; received others."
            )
        told, fresh = await run_sync(_add, here, form)
    finally:
        for path in form.files:
            path.unlink(missing_ok=True)
    here.wake()
    return JSONResponse(
        told.model_dump(mode="json"), 201 if fresh else 200, {"Location": f"{shown.API}/screeners/{told.id}"}
    )


@dataclass
class _Kept:
    """A file that is written to a place of its own, as long as there is room."""

    here: Serving
    most: int
    size: int = 0

    def __post_init__(self) -> None:
        self._demand_room()
        self._path = self.here.home.fresh()
        self._file: BinaryIO | None = self._path.open("xb")

    def write(self, chunk: bytes) -> None:
        """Take a piece."""
        assert self._file is not None
        self.size += len(chunk)
        self._demand_room()
        self._file.write(chunk)

    def finish(self) -> Path:
        """Keep the file."""
        assert self._file is not None
        self._file.close()
        self._file = None
        return self._path

    def discard(self) -> None:
        """Forget the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._path.unlink(missing_ok=True)

    def _demand_room(self) -> None:
        if self.here.home.free_bytes() < self.here.settings.limits.free_bytes:
            raise full_disk()


def _add(here: Serving, form: Form[Path]) -> tuple[schemas.Screener, bool]:
    at = next(place for place, field in enumerate(form.places) if field != SIGNATURE)
    file = form.files[at]
    signature = _signature(here, form)
    _demand_signed(here, file, signature)
    try:
        told = screeners.describe(file, here.settings.limits.screener_seconds)
    except ArtefactError as error:
        detail = str(error).replace(str(file), "The file").replace(file.name, "The file")
        raise Problem(422, "Not a Screener", detail) from error
    sha256 = screeners.keep(here.home, file)
    if signature is not None:
        try:
            trust.keep_signature(here.home, sha256, signature)
        except BadSignature as error:
            raise Problem(422, "Not a signature", "Expected what 'atypia sign' wrote.") from error
    name = form.field("name") or Path(form.names[at]).stem or told["detector"]
    default = (form.field("default") or "").lower() in ("true", "1") or None
    size = file.stat().st_size
    with here.store.write() as session:
        fresh = not session.scalar(select(exists().where(Screener.sha256 == sha256)))
        row = screeners.register(session, sha256, told, name=_printable(name), size=size, default=default)
        row.retired = False
        session.flush()
        if not here.home.screener(sha256).is_file():  # removed meanwhile, by whoever deleted it
            raise Problem(503, "The Screener is gone", "It was deleted just now. Send it again.")
        return _shown(session, here, row), fresh


def _signature(here: Serving, form: Form[Path]) -> Path | None:
    """Return the file of the signature that came with a Screener, as a file or as a field."""
    if SIGNATURE in form.places:
        return form.files[form.places.index(SIGNATURE)]
    text = form.field(SIGNATURE)
    if text is None:
        return None
    form.files.append(here.home.fresh())  # to be removed with the others
    form.files[-1].write_text(text, "utf-8")
    return form.files[-1]


def _demand_signed(here: Serving, file: Path, signature: Path | None) -> None:
    """Raise Problem where a signature is demanded, and this is none of that file."""
    key = trust.key_of(here.settings)
    if key is None:
        return
    if signature is None:
        raise Problem(403, "Not signed", f"The Screener came without a signature. {trust.UNSIGNED}")
    try:
        demand_signature(file, key, signature)
    except BadSignature as error:
        raise Problem(403, "Not signed", trust.UNSIGNED) from error


def _demand_trusted(here: Serving, sha256: str) -> None:
    try:
        trust.demand_trusted(here.settings, here.home, sha256)
    except BadSignature as error:
        raise Problem(403, "Not signed", trust.UNSIGNED) from error


def _printable(name: str) -> str:
    return "".join(sign for sign in name if sign.isprintable())[:200] or "screener"


def _set_default(session: Session, row: Screener, *, default: bool) -> None:
    if not default:
        row.default = False
    elif row.retired:
        raise Problem(409, "The Screener is retired", "A retired Screener cannot be the default one.")
    else:
        screeners.make_default(session, row)


def found(session: Session, screener: str) -> Screener:
    """Return a Screener; raise Problem where it is not there."""
    row = session.get(Screener, screener)
    if row is None:
        raise not_found("Screener")
    return row


def _shown(session: Session, here: Serving, row: Screener) -> schemas.Screener:
    return shown.screeners(session, [row], here.home)[0]


def _page(name: str, promise: str, card: dict[str, Any]) -> str:
    """Return a page without scripts and styles, which any policy lets through."""
    head = f"<meta charset='utf-8'><title>{html.escape(name)}</title>"
    parts = "".join(_part(title, values) for title, values in card.items() if values)
    told = f"<h1>{html.escape(name)}</h1><p>{html.escape(RESEARCH_USE_ONLY)}</p><p>{html.escape(promise)}</p>"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{told}{parts}</body></html>"


def _part(title: str, values: Any) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{html.escape(key)}</th><td>{html.escape(value)}</td></tr>"
        for key, value in _flat("", values)
    )
    return f"<h2>{html.escape(title.capitalize())}</h2><table>{rows}</table>"


def _flat(above: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _flat(f"{above}.{key}" if above else str(key), below)
    elif isinstance(value, list):
        yield above, ", ".join(str(one) for one in value[:50])
    elif value is not None:
        yield above, str(value)
