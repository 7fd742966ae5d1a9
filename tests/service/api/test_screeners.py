"""Screeners are listed, added, renamed, retired and deleted; a file that is none is told from one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from atypia.service.api.app import create_app
from atypia.service.settings import Limits
from atypia.service.store.models import Screener

SCREENERS = "/api/v1/screeners"


def upload(client, content, name="brain.atypia", **data):
    return client.post(SCREENERS, files={"file": (name, content)}, data=data)


@pytest.fixture
def other_file(screener_file, tmp_path):
    """The same Screener with another threshold."""
    from atypia.screener import Screener as Loaded

    path = tmp_path / "other.atypia"
    Loaded.load(screener_file).with_threshold("quantile", 0.5).save(path)
    return path


def test_a_screener_is_told_without_what_is_not_known(client, screener, described):
    (told,) = client.get(SCREENERS).json()
    assert told == client.get(f"{SCREENERS}/{screener.id}").json()
    assert (told["name"], told["default"], told["findings"]) == ("quick", True, 0)
    assert told["healthy_count"] == described["details"]["healthy_count"]
    assert told["has_alike"] is False
    assert client.get(f"{SCREENERS}/{'0' * 32}").status_code == 404


def test_its_card_is_told_as_values_and_as_a_page(client, store, screener):
    with store.write() as session:
        session.get_one(Screener, screener.id).name = "<script>alert(1)</script>"
    card = client.get(f"{SCREENERS}/{screener.id}/card").json()
    assert card["threshold"]["rule"] == screener.rule
    page = client.get(f"{SCREENERS}/{screener.id}/card.html")
    assert page.headers["content-type"].startswith("text/html")
    assert "Research use only" in page.text
    assert "<script>" not in page.text


@pytest.mark.usefixtures("store")
def test_one_is_added_once_and_can_be_the_default(client, home, screener, other_file):
    first = upload(client, other_file.read_bytes(), default="true")
    assert first.status_code == 201, first.text
    told = first.json()
    assert (told["name"], told["rule"], told["parameter"], told["default"]) == (
        "brain",
        "quantile",
        0.5,
        True,
    )
    assert upload(client, other_file.read_bytes()).status_code == 200
    assert home.screener(told["sha256"]).is_file()
    assert not list(home.tmp.iterdir())
    assert {one["id"]: one["default"] for one in client.get(SCREENERS).json()} == {
        told["id"]: True,
        screener.id: False,
    }


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not", b"hello"])
def test_a_file_that_is_no_screener_is_refused(client, home, store, content):
    answer = upload(client, content)
    assert answer.status_code == 422
    assert str(home.path) not in answer.text
    assert not list(home.tmp.iterdir())
    assert not list(home.screeners.iterdir())
    with store.session() as session:
        assert session.scalars(select(Screener)).all() == []


def test_one_that_is_too_large_is_refused(settings, store, home, screener_file, client_of):
    small = replace(settings, limits=Limits(screener_bytes=1000))
    with client_of(create_app(small, store, home, lambda: None)) as client:
        assert upload(client, screener_file.read_bytes()).status_code == 413
    assert not list(home.tmp.iterdir())


def test_changes(client, screener):
    url = f"{SCREENERS}/{screener.id}"
    assert client.put(url, json={"name": "brain 2"}).json()["name"] == "brain 2"
    retired = client.put(url, json={"retired": True}).json()
    assert (retired["retired"], retired["default"]) == (True, False)
    assert client.put(url, json={"default": True}).status_code == 409
    back = client.put(url, json={"retired": False, "default": True}).json()
    assert (back["retired"], back["default"], back["name"]) == (False, True, "brain 2")
    for wrong in ({"name": ""}, {"name": "a\nb"}, {"odd": 1}):
        assert client.put(url, json=wrong).status_code == 422


def test_only_one_that_nothing_needs_is_deleted(client, home, screener, add_finding, job):
    url = f"{SCREENERS}/{screener.id}"
    assert client.delete(url).status_code == 409
    assert client.delete(f"/api/v1/jobs/{job.id}").status_code == 204
    assert client.delete(url).status_code == 204
    assert not home.screener(screener.sha256).exists()
    assert client.get(url).status_code == 404
    assert add_finding
