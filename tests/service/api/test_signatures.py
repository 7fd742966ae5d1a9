"""A server that demands signatures uses no Screener without one: at its start, by upload, or by a worker."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from atypia.errors import BadOption, BadSignature
from atypia.service import running
from atypia.service.api.app import create_app
from atypia.service.settings import read_settings
from atypia.service.store import trust
from atypia.service.store.models import Job
from atypia.service.store.models import Screener as Row
from atypia.service.work.worker import Worker
from atypia.signing import new_key, sign_file, signature_path, write_keys

SCREENERS = "/api/v1/screeners"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    mine, other = new_key(), new_key()
    write_keys(mine, folder / "lab.key", folder / "lab.pub", None)
    return mine, other, folder / "lab.pub"


@pytest.fixture
def settings(settings, keys):
    return replace(settings, require_signature=keys[2])


@pytest.fixture
def file(screener_file, tmp_path):
    return shutil.copyfile(screener_file, tmp_path / "brain.atypia")


@pytest.fixture
def client(settings, store, home, client_of):
    with client_of(create_app(settings, store, home, lambda: None)) as made:
        yield made


def send(client, file, *, as_file=True, **data):
    files = {"file": (file.name, file.read_bytes())}
    signature = signature_path(file)
    if signature.exists() and as_file:
        files = {"signature": (signature.name, signature.read_bytes())} | files
    elif signature.exists():
        data["signature"] = signature.read_text()
    return client.post(SCREENERS, files=files, data=data)


@pytest.fixture
def any_other(store, home):
    other = type(store)(f"sqlite:///{home.path}/other.sqlite", home)
    other.migrate()
    yield other
    other.close()


def test_without_its_signature_a_screener_is_not_registered(settings, home, store, file, keys, any_other):
    with pytest.raises(BadSignature, match="expected a signature"):
        running._register(settings, home, store, [file])
    sign_file(file, keys[1])
    with pytest.raises(BadSignature, match="by the key"):
        running._register(settings, home, store, [file])
    sign_file(file, keys[0])
    running._register(settings, home, store, [file])
    assert running._demand_trust(settings, home, store) == ()
    with pytest.raises(BadOption, match="comes with Atypia"):
        running._register(settings, home, any_other, [])


def test_one_that_was_registered_before_does_not_judge(settings, home, store, screener, head_png, client):
    with pytest.raises(BadSignature, match="default Screener"):
        running._demand_trust(settings, home, store)
    with store.write() as session:
        session.get_one(Row, screener.id).default = False
    (warning,) = running._demand_trust(settings, home, store)
    assert "1 of its Screeners" in warning
    assert client.put(f"{SCREENERS}/{screener.id}", json={"default": True}).status_code == 403
    sent = client.post("/api/v1/jobs", files={"files": ("a.png", head_png())}, data={"screener": screener.id})
    Worker(settings, store, home).drain()
    with store.session() as session:
        job = session.get_one(Job, sent.json()["id"])
    assert (job.state, job.error) == ("failed", trust.UNSIGNED)


def test_an_upload_comes_with_its_signature(client, home, file, keys, settings, head_png, store):
    for signing, as_file, told in (
        (None, True, "without a signature"),
        (keys[1], True, "has not"),
        (keys[1], False, "has not"),
    ):
        if signing is not None:
            sign_file(file, signing)
        answer = send(client, file, as_file=as_file)
        assert (answer.status_code, answer.json()["title"]) == (403, "Not signed")
        assert told in answer.json()["detail"]
        assert str(home.path) not in answer.text
        assert not list(home.tmp.iterdir())
    sign_file(file, keys[0])
    answer = send(client, file, as_file=False, default="true")
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == "brain"
    assert not list(home.tmp.iterdir())
    sent = client.post("/api/v1/jobs", files={"files": ("a.png", head_png())})
    Worker(settings, store, home).drain()
    assert client.get(f"/api/v1/jobs/{sent.json()['id']}").json()["state"] == "done"
    screener = f"{SCREENERS}/{answer.json()['id']}"
    change = {"rule": "quantile", "parameter": 0.5}
    assert client.post(f"{screener}/threshold/preview", json=change).status_code == 200
    refused = client.post(f"{screener}/threshold", json=change)
    assert (refused.status_code, refused.json()["title"]) == (403, "A signed Screener stays as it is")
    assert client.get("/api/v1/about").json()["requires_signature"] is True


def test_the_key_may_be_set_in_the_environment_or_a_file(tmp_path, keys):
    config = tmp_path / "atypia.toml"
    config.write_text(f'require_signature = "{keys[2]}"\n')
    usual = {"data": tmp_path}
    by_file = read_settings(config, {}, {}, usual)
    by_environment = read_settings(None, {}, {"ATYPIA_SERVE_REQUIRE_SIGNATURE": str(keys[2])}, usual)
    assert trust.key_of(by_file) == trust.key_of(by_environment) == keys[0].public
    with pytest.raises(BadSignature, match="a public key of minisign"):
        trust.key_of(replace(by_file, require_signature=config))
