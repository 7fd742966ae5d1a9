"""What readers say is kept, and comes back as a table that the commands read."""

from __future__ import annotations

import asyncio
import io

import pyarrow.parquet as pq
import pytest
from starlette.requests import ClientDisconnect

from atypia.reading.table import read_table
from atypia.service.api.feedback import export_feedback
from atypia.service.store.models import File

URL = "/api/v1/findings"


def say(client, finding, label, note=""):
    return client.post(f"{URL}/{finding.id}/feedback", json={"label": label, "note": note})


@pytest.fixture
def uploaded(home, store, job, head_png, add_finding):
    """`uploaded(seed)` stores a finding of an uploaded picture."""

    def make(seed, **given):
        sha256 = f"{seed:064x}"
        path = home.upload(sha256, ".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(head_png(seed))
        with store.write() as session:
            session.add(File(job=job.id, index=seed, kind="picture", sha256=sha256, bytes=1, suffix=".png"))
        return add_finding(values={"source": {"sha256": sha256, "suffix": ".png"}}, **given)

    return make


def test_the_last_word_of_a_reader_counts(client, add_finding):
    row = add_finding()
    assert say(client, row, "abnormal", "a bleed").status_code == 201
    told = say(client, row, "healthy").json()
    assert [one["id"] for one in client.get(f"{URL}/{row.id}/feedback").json()] == [told["id"]]
    assert client.get(f"{URL}/{row.id}").json()["feedback"] == ["healthy"]
    assert client.get(URL, params={"feedback": "healthy"}).json()["total"] == 1
    assert client.get(URL, params={"feedback": "abnormal"}).json()["total"] == 0
    assert client.delete(f"/api/v1/feedback/{told['id']}").status_code == 204
    assert client.get(f"{URL}/{row.id}/feedback").json() == []
    assert client.delete(f"/api/v1/feedback/{told['id']}").status_code == 404


def test_feedback_is_checked(client, add_finding):
    row = add_finding()
    for wrong in (
        {"label": "odd"},
        {},
        {"label": "healthy", "note": "x" * 3000},
        {"label": "healthy", "note": "\0"},
    ):
        assert client.post(f"{URL}/{row.id}/feedback", json=wrong).status_code == 422
    assert client.post(f"{URL}/{'0' * 32}/feedback", json={"label": "healthy"}).status_code == 404


def test_the_table_is_one_that_atypia_reads(client, home, uploaded, add_finding, tmp_path):
    healthy, sick, unsure = uploaded(1, plane="axial"), uploaded(2), uploaded(3)
    elsewhere, unsaid = add_finding(), uploaded(4)
    for row, label in ((healthy, "healthy"), (sick, "abnormal"), (unsure, "unsure"), (elsewhere, "healthy")):
        say(client, row, label, "=1+1")
    table = tmp_path / "feedback.csv"
    answer = client.get("/api/v1/feedback.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    table.write_bytes(answer.content)
    rows = read_table(table, home.path)
    assert [(row.label, row.plane, row.path.is_file()) for row in rows] == [
        ("normal", "axial", True),
        ("abnormal", None, True),
    ]
    assert b"'=1+1" in answer.content  # no formula for a spreadsheet
    parquet = pq.read_table(io.BytesIO(client.get("/api/v1/feedback.parquet").content)).to_pylist()
    assert [row["finding"] for row in parquet] == [healthy.id, sick.id]
    assert unsaid.id not in answer.text


def test_one_content_has_one_row(client, uploaded, add_finding):
    first = uploaded(1)
    again = add_finding(values=first.values)
    say(client, first, "healthy")
    say(client, again, "abnormal")
    lines = client.get("/api/v1/feedback.csv").text.splitlines()
    assert len(lines) == 2
    assert ",abnormal," in lines[1]
    say(client, again, "unsure")
    assert len(client.get("/api/v1/feedback.csv").text.splitlines()) == 1


def test_the_table_of_one_screener(client, screener, uploaded):
    say(client, uploaded(1), "healthy")
    assert len(client.get("/api/v1/feedback.csv", params={"screener": screener.id}).text.splitlines()) == 2
    assert len(client.get("/api/v1/feedback.csv", params={"screener": "0" * 32}).text.splitlines()) == 1
    assert client.get("/api/v1/feedback.xls").status_code == 422


@pytest.mark.parametrize("after", [0, 1, 2])
def test_who_leaves_in_the_middle_leaves_no_file(app, client, home, uploaded, after):
    say(client, uploaded(1), "healthy")
    answer = export_feedback(app.state.serving, None, "csv", None)
    assert list(home.tmp.iterdir())
    sent = []

    async def send(message):
        if len(sent) == after:
            raise OSError("it left")
        sent.append(message)

    async def receive():
        await asyncio.sleep(60)

    scope = {"type": "http", "asgi": {"spec_version": "2.4"}, "method": "GET", "headers": []}
    with pytest.raises(ClientDisconnect):
        asyncio.run(answer(scope, receive, send))
    assert not list(home.tmp.iterdir())
