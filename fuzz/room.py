"""A reading room in this process, without workers or a port: an app, its database and its data folder."""

from __future__ import annotations

import asyncio
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from atypia.service.api.app import create_app
from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.service.store import screeners
from atypia.service.store.database import Store
from atypia.service.store.models import Finding, Job, new_id

HOST = "127.0.0.1:8765"
_SCREENER = Path(__file__).resolve().parents[1] / "tests" / "data" / "format-3-intensity.atypia"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


@dataclass(frozen=True)
class Room:
    """What a request meets; `names` are identifiers of what is there, by what they are of."""

    app: FastAPI
    settings: Settings
    home: Home
    names: dict[str, str]

    def ask(
        self, method: str, path: bytes, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> Answer:
        """Send one request to the app as a server would, the body in two pieces, and return the answer."""
        return asyncio.run(self._ask(method, path, query, headers, body))

    async def _ask(
        self, method: str, path: bytes, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> Answer:
        pieces = [body[: len(body) // 2], body[len(body) // 2 :]]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if not pieces:
                await asyncio.sleep(60)  # the client stays until it has its answer
                return {"type": "http.disconnect"}
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "scheme": "http",
            "path": path.decode("utf-8", "replace"), "raw_path": path, "query_string": query, "root_path": "",
            "headers": [(b"host", HOST.encode()), *headers], "client": ("127.0.0.1", 5000),
            "server": ("127.0.0.1", 8765), "state": {},
        }  # fmt: skip
        await self.app(scope, receive, send)
        start = next(one for one in sent if one["type"] == "http.response.start")
        whole = b"".join(one.get("body", b"") for one in sent if one["type"] == "http.response.body")
        return Answer(int(start["status"]), dict(start["headers"]), whole)


@contextmanager
def open_room() -> Iterator[Room]:
    """Open a room with a Screener, a job that is done and its finding; all is gone afterwards."""
    where = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="fuzz-room-", dir=where) as name:
        home = Home(Path(name) / "data")
        home.make()
        settings = Settings(data=home.path, workers=1, threads=1, roots=(Path(name),))
        limits = replace(settings.limits, free_bytes=0, upload_bytes=2**22, archive_bytes=2**26)
        settings = replace(settings, limits=limits)
        store = Store(None, home)
        store.migrate()
        try:
            names = _filled(store, home)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                app = create_app(settings, store, home, lambda: None)
            yield Room(app, settings, home, names)
        finally:
            store.close()


def _filled(store: Store, home: Home) -> dict[str, str]:
    sha256, told = screeners.keep(home, _SCREENER), _told()
    with store.write() as session:
        row = screeners.register(session, sha256, told, name="fuzz", size=_SCREENER.stat().st_size)
        job = Job(id=new_id(), kind="upload", state="done", screener=row.id, label="upload 1")
        session.add(job)
        session.flush()
        finding = Finding(
            id=new_id(), job=job.id, screener=row.id, index=0, label="upload 1, file 1", kind="picture",
            verdict="normal", score=1.0, p_value=0.5, threshold=1.0, flagged=False, files=[],
        )  # fmt: skip
        session.add(finding)
        return {"job": job.id, "finding": finding.id, "screener": row.id}


@cache
def _told() -> dict[str, Any]:
    return screeners.describe(_SCREENER)
