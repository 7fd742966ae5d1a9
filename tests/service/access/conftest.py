"""A small app behind the real access: routes of every kind, and a client of it."""

from __future__ import annotations

import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from sqlalchemy import select

from atypia.service.access import install, note, public, require
from atypia.service.access import tokens as of_tokens
from atypia.service.access.routes import router
from atypia.service.access.settings import AccessSettings
from atypia.service.api import problems
from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.service.store.database import Store
from atypia.service.store.models import Audit

with warnings.catch_warnings():  # it would rather have another package than httpx
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

HERE = "http://127.0.0.1:8765"


def small_app(settings: Settings, store: Store) -> FastAPI:
    app = FastAPI(openapi_url="/api/v1/openapi.json")
    problems.install(app)
    app.state.read = 0
    app.include_router(seen)
    app.include_router(changed)
    app.include_router(router)
    app.include_router(rest)
    install(app, settings, store)
    return app


seen, changed, rest = APIRouter(), APIRouter(), APIRouter()


def of(role: str) -> list[object]:
    return [Depends(require(role))]


@seen.get("/api/v1/findings/{finding}", dependencies=of("viewer"))
def show(finding: str) -> dict[str, str]:
    return {"id": finding}


@seen.get("/api/v1/findings/{finding}/files/{name:path}", dependencies=of("viewer"))
def file(name: str) -> Response:
    if name.endswith(".html"):
        return HTMLResponse("<p>report</p>")
    if name == "missing":
        raise problems.not_found("file")
    return Response(b"bytes", headers={"Cache-Control": "public, max-age=60, immutable", "ETag": '"1"'})


@seen.get("/api/v1/broken", dependencies=of("viewer"))
def broken() -> None:
    raise RuntimeError("/secret/path of patient Doe")


@seen.get("/api/v1/events", dependencies=of("viewer"))
def events() -> StreamingResponse:
    def beats() -> Iterator[str]:
        for _ in range(200):
            yield ": beat\n\n"
            time.sleep(0.05)

    return StreamingResponse(beats(), media_type="text/event-stream")


@changed.post("/api/v1/jobs", status_code=202, dependencies=of("reader"))
async def upload(request: Request, response: Response) -> dict[str, int]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        request.app.state.read += len(chunk)
    response.headers["Location"] = f"/api/v1/jobs/{'ef' * 16}"
    return {"bytes": size}


@changed.put("/api/v1/findings/{finding}/review", dependencies=of("reader"))
def review(body: dict[str, str]) -> int:
    return len(body)


@changed.post("/api/v1/screeners/{screener}/threshold", dependencies=of("admin"))
def threshold(screener: str, request: Request) -> None:
    note(request, "threshold.change", screener, rule="conformal")


@rest.get("/healthz")
@public
def healthz() -> dict[str, bool]:
    return {"ok": True}


@rest.get("/api/v1/forgotten")
def forgotten() -> dict[str, bool]:
    """A route whose author forgot to say who may call it."""
    return {"ok": True}


@rest.get("/{path:path}")
@public
def page(path: str) -> PlainTextResponse:
    if path.startswith("api/"):
        raise problems.not_found("address")
    return PlainTextResponse("page", headers={"Cache-Control": "no-cache"})


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables, to be copied: that is quicker than to make them each time."""
    home = Home(tmp_path_factory.mktemp("migrated"))
    home.make()
    made = Store(None, home)
    made.migrate()
    made.close()
    return home.database


@pytest.fixture
def store(home: Home, migrated: Path) -> Iterator[Store]:
    """A SQLite database with all tables, empty."""
    shutil.copy(migrated, home.database)
    made = Store(None, home)
    yield made
    made.close()


@pytest.fixture
def served(settings: Settings, store: Store) -> Iterator[Callable[..., TestClient]]:
    """`served(host=..., address=..., **access)` gives a client of a server with these settings."""
    opened: list[TestClient] = []

    def serve(
        *, base: str = HERE, address: str = "127.0.0.1", host: str = "127.0.0.1", **access
    ) -> TestClient:
        given = replace(settings, host=host, access=AccessSettings(**access))
        client = TestClient(
            small_app(given, store), base_url=base, client=(address, 50_000), follow_redirects=False
        )
        opened.append(client.__enter__())
        return client

    yield serve
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def token(store: Store) -> Callable[..., str]:
    """`token("reader")` makes a token of that role and gives it."""

    def make(role: str = "reader", name: str | None = None, days: float | None = None) -> str:
        with store.write() as session:
            return of_tokens.add(session, name or f"a {role}", role, days)[1]

    return make


@pytest.fixture
def audited(store: Store) -> Callable[[], list[Audit]]:
    """`audited()` gives the rows of the audit log, the oldest first."""

    def rows() -> list[Audit]:
        with store.session() as session:
            return list(session.scalars(select(Audit).order_by(Audit.id)))

    return rows


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of localhost and its key, in PEM."""
    folder = tmp_path_factory.mktemp("tls")
    return write_certificate(folder, "one")


def write_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return cert_file, key_file


@pytest.fixture(scope="session")
def other_certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Another one."""
    return write_certificate(tmp_path_factory.mktemp("tls"), "two")
