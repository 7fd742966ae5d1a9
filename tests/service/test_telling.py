from __future__ import annotations

import asyncio
import json
import logging

import httpx
import pytest
import structlog
from fastapi import FastAPI

from atypia.service.api.app import template_of
from atypia.service.telling import Requests, tell_in_json


@pytest.fixture(autouse=True)
def as_before():
    root = logging.getLogger()
    before = root.handlers, root.level
    yield
    root.handlers, root.level = before
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_each_event_is_a_line_of_json(capsys):
    tell_in_json("info")
    structlog.get_logger("a").info("judged", jobs=3)
    structlog.get_logger("a").debug("not told")
    (told,) = lines(capsys)
    assert (told["event"], told["jobs"], told["level"]) == ("judged", 3, "info")
    assert str(told["timestamp"]).endswith("Z")


def test_libraries_are_told_of_without_their_words(capsys):
    tell_in_json("info")
    try:
        raise ValueError("PatientName Doe^John")
    except ValueError:
        logging.getLogger("library").exception("cannot read %s", "/data/doe.dcm")
    logging.getLogger("library").info("quiet")
    (told,) = lines(capsys)
    assert told["error"] == "ValueError"
    assert "doe" not in json.dumps(told).lower()


def test_requests_are_told_of_by_their_template(capsys):
    tell_in_json("info")
    app = FastAPI()

    @app.get("/findings/{finding}")
    def answer(finding: str) -> str:
        return finding

    async def ask() -> None:
        transport = httpx.ASGITransport(app=Requests(app, template_of))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            await client.get("/findings/doe-john?token=secret")
            await client.get("/doe/john")

    asyncio.run(ask())
    first, second = lines(capsys)
    assert (first["method"], first["route"], first["status"]) == ("GET", "/findings/{finding}", 200)
    assert second["status"] == 404
    assert "doe" not in json.dumps([first, second])
    assert "secret" not in json.dumps([first, second])
