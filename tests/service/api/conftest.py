"""The app of a server without workers, and findings as workers would have written them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from atypia.service.api.app import create_app
from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.service.store.database import Store
from atypia.service.store.models import Finding, Job, Screener, new_id

with warnings.catch_warnings():  # it would rather have another package than httpx
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

BASE = "http://127.0.0.1:8765"


@pytest.fixture
def woken() -> list[bool]:
    """Grows each time that workers are woken."""
    return []


@pytest.fixture
def app(settings: Settings, store: Store, home: Home, woken: list[bool]) -> FastAPI:
    return create_app(settings, store, home, lambda: woken.append(True))


@pytest.fixture(scope="session")
def client_of() -> Callable[[FastAPI], TestClient]:
    """`client_of(app)` gives a client at this very machine, to be used in a `with` statement."""
    return lambda app: TestClient(app, base_url=BASE)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url=BASE) as made:
        yield made


@pytest.fixture
def job(store: Store, screener: Screener) -> Job:
    """A job that is done."""
    row = Job(id=new_id(), kind="upload", state="done", screener=screener.id, label="upload 1")
    with store.write() as session:
        session.add(row)
    return row


@pytest.fixture
def add_finding(store: Store, home: Home, screener: Screener, job: Job) -> Callable[..., Finding]:
    """`add_finding(score=…, …)` stores the finding of a picture, by that Screener, unless told otherwise."""
    count = 0

    def add(files: dict[str, bytes] | None = None, **given: Any) -> Finding:
        nonlocal count
        count += 1
        values: dict[str, Any] = {
            "id": new_id(),
            "job": job.id,
            "screener": screener.id,
            "index": count - 1,
            "label": f"upload 1, file {count}",
            "kind": "picture",
            "verdict": "normal",
            "score": 1.0,
            "p_value": 0.5,
            "threshold": screener.threshold,
            "flagged": False,
        } | given
        row = Finding(**values, files=[])
        folder = home.findings(row.id)
        for name, content in (files or {}).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            row.files = [*row.files, {"name": name, "bytes": len(content), "media_type": media_type(name)}]
        with store.write() as session:
            session.add(row)
        return row

    return add


def media_type(name: str) -> str:
    kinds = {".webp": "image/webp", ".png": "image/png", ".html": "text/html", ".dcm": "application/dicom"}
    return next((kind for suffix, kind in kinds.items() if name.endswith(suffix)), "application/gzip")
