"""Every route of the real app says who may call it, and every role is held to that."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from fastapi.routing import iter_route_contexts

from atypia.service.access import tokens as of_tokens
from atypia.service.access.calls import GUARDED, OPEN, PROBES
from atypia.service.access.settings import ROLES, AccessSettings, Oidc
from atypia.service.access.users import PUBLIC, ROLE
from atypia.service.api.app import create_app

with warnings.catch_warnings():  # it would rather have another package than httpx
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

HERE = "http://127.0.0.1:8765"
EXPECTED = {
    "GET /api/v1/audit": "admin",
    "GET /api/v1/tokens": "admin",
    "POST /api/v1/tokens": "admin",
    "DELETE /api/v1/tokens/{}": "admin",
    "POST /api/v1/screeners": "admin",
    "POST /api/v1/screeners/{}/threshold": "admin",
    "DELETE /api/v1/findings/{}": "admin",
    "POST /api/v1/jobs": "reader",
    "PUT /api/v1/findings/{}/review": "reader",
    "POST /api/v1/findings/{}/feedback": "reader",
    "POST /dicomweb/studies": "reader",
    "GET /api/v1/findings": "viewer",
    "GET /api/v1/findings/{}": "viewer",
    "GET /metrics": "viewer",
}
"""What the contract says, spelt out, so that a lesser role does not slip in."""


@dataclass(frozen=True)
class Told:
    method: str
    path: str
    roles: frozenset[str]
    public: bool


@pytest.fixture
def app(settings, store, home):
    return create_app(
        replace(settings, access=AccessSettings(failures_per_minute=1e6)), store, home, lambda: None
    )


@pytest.fixture
def people(store) -> dict[str, dict[str, str]]:
    with store.write() as session:
        made = {role: of_tokens.add(session, role, role, None)[1] for role in ROLES}
    return {role: {"Authorization": f"Bearer {secret}"} for role, secret in made.items()}


@pytest.fixture
def client(app):
    with TestClient(app, base_url=HERE, client=("127.0.0.1", 5000), follow_redirects=False) as opened:
        yield opened


def routes_of(app) -> Iterator[Told]:
    for route in iter_route_contexts(app.routes):
        calls = list(_calls(getattr(route, "dependant", None)))
        roles = frozenset(getattr(call, ROLE) for call in calls if hasattr(call, ROLE))
        public = getattr(route.endpoint, PUBLIC, False) or route.path in OPEN
        for method in sorted(set(route.methods or ()) - {"HEAD", "OPTIONS"}):
            yield Told(method, str(route.path), roles, public)


def _calls(dependant) -> Iterator[object]:
    for below in getattr(dependant, "dependencies", ()):
        yield below.call
        yield from _calls(below)


def test_every_route_says_who_may_call_it(app):
    found = list(routes_of(app))
    assert len(found) > 30
    forgotten = [f"{route.method} {route.path}" for route in found if len(route.roles) != (not route.public)]
    assert forgotten == []


def test_what_the_guard_leaves_open_is_what_routes_call_public(app):
    public = {route.path for route in routes_of(app) if route.public}
    assert public == OPEN | PROBES | {"/{path:path}"}
    closed = {route.path for route in routes_of(app) if not route.public}
    assert all(path.startswith(tuple(f"{top}/" for top in GUARDED)) or path in GUARDED for path in closed)


def test_roles_are_those_of_the_contract(app):
    found = {
        f"{route.method} {re.sub(r'{[^}]+}', '{}', route.path)}": route.roles for route in routes_of(app)
    }
    for name, role in EXPECTED.items():
        assert found[name] == {role}, name


def test_nothing_that_changes_something_is_for_viewers(app):
    for route in routes_of(app):
        if route.method != "GET" and not route.public and not route.path.endswith("/preview"):
            assert route.roles <= {"reader", "admin"}, route


def test_every_role_is_held_to_every_route(app, client, people):
    """Whoever may not gets 401 or 403, whatever else is wrong; whoever may gets neither."""
    for route in routes_of(app):
        if route.public or route.path.endswith("/events"):
            continue
        (needed,) = route.roles
        path = re.sub(r"\{[^}]+\}", "0" * 32, route.path)
        told = f"{route.method} {route.path}"
        assert client.request(route.method, path).status_code == 401, told
        for role, headers in people.items():
            status = client.request(route.method, path, headers=headers).status_code
            if ROLES.index(role) < ROLES.index(needed):
                assert status == 403, (told, role)
            else:
                assert status not in (401, 403, 500), (told, role)


def test_streams_of_events_are_for_those_who_are_known(client, people):
    for path in ("/api/v1/events", f"/api/v1/jobs/{'0' * 32}/events"):
        assert client.get(path).status_code == 401
    assert client.get(f"/api/v1/jobs/{'0' * 32}/events", headers=people["viewer"]).status_code == 404


def test_every_unsafe_route_refuses_foreign_pages(app, client):
    for route in routes_of(app):
        if route.method == "GET":
            continue
        path = re.sub(r"\{[^}]+\}", "0" * 32, route.path)
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = client.request(route.method, path, headers=headers)
            assert answer.json()["title"] == "From a foreign page", route


def test_opening_a_finding_that_is_not_there_is_no_opening(client, people, store):
    from sqlalchemy import func, select

    from atypia.service.store.models import Audit

    client.get(f"/api/v1/findings/{'0' * 32}", headers=people["viewer"])
    with store.session() as session:
        assert session.scalar(select(func.count(Audit.id))) == 0


@pytest.mark.parametrize(
    "path",
    ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/..%2f..%2fpage.py", "/..%5c..%5cetc", "/%00"],
)
def test_nothing_outside_the_page_is_served(client, path):
    answer = client.get(path)
    assert "root:" not in answer.text
    assert "import" not in answer.text[:300] or "<" in answer.text[:300]


@pytest.mark.parametrize(
    "name", ["..%2f..%2fkey", "%2e%2e/key", "dicom/..%2f..%2f..%2fatypia.sqlite", "..%5ckey"]
)
def test_nothing_outside_a_finding_is_served(client, people, name):
    path = f"/api/v1/findings/{'0' * 32}/files/{name}"
    assert client.get(path, headers=people["admin"]).status_code == 400


def test_about_tells_how_to_log_in(settings, store, home):
    def about(**access):
        made = create_app(replace(settings, access=AccessSettings(**access)), store, home, lambda: None)
        with TestClient(made, base_url=HERE) as client:
            return client.get("/api/v1/about").json()["auth"]

    assert about() == {"required": False, "kinds": ["token"], "user": {"name": "local", "role": "admin"}}
    oidc = Oidc("https://id.example", "atypia", roles={"it": "admin"})
    assert about(oidc=oidc) == {"required": True, "kinds": ["token", "oidc"], "user": None}
