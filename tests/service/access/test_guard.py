"""Who comes in, by what, and what a page elsewhere cannot have a browser do."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from atypia.service.access import logins
from atypia.service.access import tokens as of_tokens
from atypia.service.access.calls import Call, misshapen
from atypia.service.store.database import Store

HERE, FINDING = "http://127.0.0.1:8765", "ab" * 16
JOBS, REVIEW = "/api/v1/jobs", f"/api/v1/findings/{FINDING}/review"
EVIL = {"Origin": "https://evil.example"}
ELSEWHERE = [
    EVIL,
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:9999"},
    {"Origin": "https://127.0.0.1:8765"},
    {"Origin": f"{HERE}@evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "nonsense"},
    {"Origin": HERE, "Sec-Fetch-Site": "cross-site"},
]


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def logged_in(client, token):
    answer = client.post("/api/v1/session", json={"token": token}, headers={"Origin": HERE})
    assert answer.status_code == 200, answer.text
    return {"X-CSRF-Token": answer.json()["csrf"], "Origin": HERE}


def test_on_loopback_without_tokens_one_is_local(served):
    client = served()
    answer = client.get("/api/v1/session").json()
    assert answer == {"user": {"name": "local", "role": "admin", "kind": "local"}, "csrf": None}
    assert client.post(JOBS, content=b"abc").json() == {"bytes": 3}
    assert client.post(
        JOBS, content=b"abc", headers={"Origin": HERE, "Sec-Fetch-Site": "same-origin"}
    ).is_success


@pytest.mark.parametrize("login", [False, True])
def test_a_page_elsewhere_can_do_nothing(served, token, login):
    made = token("admin") if login else None
    client = served()
    signed = logged_in(client, made) if made else {}
    for headers in ELSEWHERE:
        for method, path in (("POST", JOBS), ("GET", "/api/v1/tokens"), ("DELETE", "/api/v1/session")):
            answer = client.request(method, path, headers={**signed, **headers})
            assert (answer.status_code, answer.json()["title"]) == (403, "From a foreign page"), headers
    assert client.app.state.read == 0


def test_a_page_elsewhere_cannot_log_a_browser_in(served, token):
    answer = served().post("/api/v1/session", json={"token": token()}, headers=EVIL)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost:80@evil.example", "", "10.0.0.1"]
)
def test_a_name_that_points_here_is_refused(served, host):
    answer = served().get("/api/v1/session", headers={"Host": host})
    assert answer.status_code == 421
    assert "user" not in answer.json()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8765", "LOCALHOST:8765"])
def test_loopback_has_several_names(served, host):
    assert served().get("/api/v1/session", headers={"Host": host}).status_code == 200


def test_off_loopback_a_host_is_an_address_or_a_known_name(served):
    client = served(
        host="0.0.0.0", allowed_hosts=("atypia.example.org",), public_url="https://scans.example.org"
    )
    for host, status in (
        ("192.0.2.1:8765", 200), ("[2001:db8::1]", 200), ("atypia.example.org", 200),
        ("scans.example.org", 200), ("evil.example", 421),
    ):  # fmt: skip
        assert client.get("/api/v1/session", headers={"Host": host}).status_code == status, host


def test_off_loopback_nobody_is_local(served):
    client = served(host="0.0.0.0", address="192.0.2.9")
    assert client.get("/api/v1/session").json() == {"user": None, "csrf": None}
    assert client.get("/api/v1/tokens").status_code == 401


def test_behind_a_proxy_nobody_is_local(served):
    answer = served().get("/api/v1/tokens", headers={"X-Forwarded-For": "192.0.2.1"})
    assert answer.status_code == 401


def test_from_the_first_token_on_everybody_says_who_they_are(served, store):
    client = served()
    made = client.post("/api/v1/tokens", json={"name": "first", "role": "admin"}).json()
    assert client.get("/api/v1/tokens").status_code == 401
    assert client.get("/api/v1/tokens", headers=bearer(made["token"])).is_success
    with store.write() as session:
        of_tokens.revoke(session, "first")
    assert client.get("/api/v1/tokens", headers=bearer(made["token"])).status_code == 401
    assert client.get("/api/v1/tokens").status_code == 401


def test_a_wrong_token_is_refused_on_loopback_too(served):
    for header in ("Bearer nonsense", "Bearer", "Basic YTpi", "Bearer atypia_" + "A" * 43, "bearer \u00fc"):
        answer = served().get("/api/v1/session", headers={"Authorization": header.encode("latin-1")})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_roles(served, token):
    client = served()
    viewer, reader, admin = (bearer(token(role)) for role in ("viewer", "reader", "admin"))
    for headers, statuses in ((viewer, (200, 403, 403)), (reader, (200, 202, 403)), (admin, (200, 202, 200))):
        found = (
            client.get(f"/api/v1/findings/{FINDING}", headers=headers).status_code,
            client.post(JOBS, headers=headers).status_code,
            client.post(f"/api/v1/screeners/{FINDING}/threshold", headers=headers).status_code,
        )
        assert found == statuses


def test_who_may_not_upload_sends_nothing(served, token):
    client = served()
    assert client.post(JOBS, content=b"a" * 100_000, headers=bearer(token("viewer"))).status_code == 403
    assert client.post(JOBS, content=b"a" * 100_000).status_code == 401
    assert client.app.state.read == 0


def test_what_nobody_thought_of_is_closed(served, token):
    token()
    client = served()
    for path in ("/api/v1/forgotten", "/api/v1/none", "/api", "/api/v2/x", "/dicomweb/x", "/metrics"):
        assert client.get(path).status_code == 401, path
    assert client.get("/").text == "page"
    assert client.get("/healthz").is_success


def test_a_login(served, token):
    made = token("reader")
    client = served()
    signed = logged_in(client, made)
    assert client.get("/api/v1/session").json()["user"] == {
        "name": "a reader",
        "role": "reader",
        "kind": "login",
    }
    assert client.put(REVIEW, json={}, headers=signed).is_success
    for wrong in (
        {},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 64},
        {"X-CSRF-Token": client.cookies["atypia"]},
    ):
        answer = client.put(REVIEW, json={}, headers=wrong)
        assert (answer.status_code, answer.json()["title"]) == (403, "Not signed by the page")
    cookie = client.cookies["atypia"]
    gone = client.delete("/api/v1/session", headers=signed)
    assert gone.status_code == 204
    assert gone.headers["clear-site-data"] == '"cache"'
    assert (
        client.get(REVIEW.removesuffix("/review"), headers={"Cookie": f"atypia={cookie}"}).status_code == 401
    )


def test_the_cookie(served, token):
    made = token()
    plain = served().post("/api/v1/session", json={"token": made}).headers["set-cookie"]
    assert plain.startswith("atypia=")
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= set(plain.split("; "))
    secure = (
        served(base="https://127.0.0.1:8765")
        .post("/api/v1/session", json={"token": made})
        .headers["set-cookie"]
    )
    assert secure.startswith("__Host-atypia=")
    assert {"Secure", "HttpOnly", "SameSite=strict", "Path=/"} <= set(secure.split("; "))
    assert "domain" not in (plain + secure).lower()


def test_a_login_is_always_a_new_one(served, token):
    """Who plants a cookie before the login knows nothing of the one after it."""
    made = token()
    client = served()
    client.cookies.set("atypia", "planted" * 6)
    logged_in(client, made)
    first = client.cookies.jar._cookies
    values = [cookie.value for cookie in client.cookies.jar if cookie.value != "planted" * 6]
    assert len(values) == 1, first
    client.cookies.clear()
    client.cookies.set("atypia", values[0])
    again = client.post("/api/v1/session", json={"token": made}, headers={"Origin": HERE})
    assert again.status_code == 403  # an unsafe call of a login, not signed
    signed = {"X-CSRF-Token": logins.csrf_of(values[0])}
    again = client.post("/api/v1/session", json={"token": made}, headers=signed)
    assert again.is_success
    assert client.get(JOBS, headers={"Cookie": f"atypia={values[0]}"}).status_code == 401


def test_a_cookie_that_came_twice_is_none(served, token):
    made = token()
    client = served()
    logged_in(client, made)
    value = client.cookies["atypia"]
    client.cookies.clear()
    answer = client.get("/api/v1/session", headers={"Cookie": f"atypia={value}; atypia={value}"})
    assert answer.json()["user"] is None


def test_revoking_ends_a_login_at_once(served, token, store):
    client = served()
    logged_in(client, token("admin", name="gone"))
    assert client.get("/api/v1/tokens").is_success
    with store.write() as session:
        of_tokens.revoke(session, "gone")
    assert client.get("/api/v1/tokens").status_code == 401


@pytest.mark.parametrize("query", ["token=abc", "a=1&access_token=abc", "x={token}", "id_token=1", "TOKEN=1"])
def test_a_token_in_an_address_is_refused(served, token, query):
    made = token()
    answer = served().get(f"/api/v1/session?{query.format(token=made)}")
    assert (answer.status_code, answer.json()["title"]) == (400, "A token in an address")
    assert made not in answer.text
    answer = served().get(f"/{made}")
    assert answer.status_code == 400
    assert made not in answer.text


@pytest.mark.parametrize(
    "path", ["/api/v1/%2e%2e/x", "/%5c..", "/a%00b", "/a%0d%0aSet-Cookie:x=1", "/a/%2e/b"]
)
def test_a_path_that_climbs_is_refused(served, path):
    answer = served().get(path)
    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("name", ["Host", "Authorization", "Origin", "Content-Length", "X-CSRF-Token"])
def test_a_header_that_came_twice_is_refused(served, name):
    client = served()
    values = {"Host": "127.0.0.1", "Content-Length": "0"}
    headers = [(name, values.get(name, "a")), (name, values.get(name, "a"))]
    assert client.request("POST", JOBS, headers=headers).status_code == 400


def test_guessing_is_slowed_down_and_knowing_is_not(served, token):
    made = token()
    client = served(failures_per_minute=3)
    wrong = bearer("atypia_" + "A" * 43)
    statuses = [client.get("/api/v1/session", headers=wrong).status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    late = client.post("/api/v1/session", json={"token": "atypia_" + "A" * 43})
    assert late.status_code == 429
    assert int(late.headers["retry-after"]) >= 1
    assert client.get("/api/v1/session", headers=bearer(made)).is_success


def test_limits_are_each_users_own(served, token):
    one, two = bearer(token(name="one")), bearer(token(name="two"))
    client = served(requests_per_minute=3)
    assert [client.get("/api/v1/session", headers=one).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert client.get("/api/v1/session", headers=two).is_success
    assert [client.get("/api/v1/session").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_uploads_have_a_limit_of_their_own(served, token):
    made = bearer(token())
    client = served(uploads_per_minute=2)
    assert [client.post(JOBS, headers=made).status_code for _ in range(3)] == [202, 202, 429]
    assert client.get("/api/v1/session", headers=made).is_success


def test_forwarded_addresses_are_believed_of_trusted_proxies_alone(served, token, audited):
    made = bearer(token())
    said = {**made, "X-Forwarded-For": "192.0.2.77, 10.0.0.9", "X-Forwarded-Proto": "https"}
    answer = served(trusted_proxies=("10.0.0.0/8",), address="10.0.0.1").post(JOBS, headers=said)
    assert "strict-transport-security" in answer.headers
    answer = served(trusted_proxies=("10.0.0.0/8",), address="192.0.2.5").post(JOBS, headers=said)
    assert "strict-transport-security" not in answer.headers
    garbled = {**made, "X-Forwarded-For": "<script>"}
    served(trusted_proxies=("10.0.0.0/8",), address="10.0.0.1").post(JOBS, headers=garbled)
    assert [row.address for row in audited()] == ["192.0.2.77", "192.0.2.5", "unknown"]


def test_behind_a_proxy_the_page_has_the_origin_of_the_public_url(served, token):
    made = token("admin")
    client = served(public_url="https://scans.example.org", trusted_proxies=("127.0.0.1",))
    headers = {
        "Host": "scans.example.org",
        "Origin": "https://scans.example.org",
        "X-Forwarded-For": "192.0.2.1",
    }
    assert client.post("/api/v1/session", json={"token": made}, headers=headers).is_success
    headers["Origin"] = "http://other.example.org"
    assert client.post("/api/v1/session", json={"token": made}, headers=headers).status_code == 403


def test_cors_is_for_origins_of_the_settings_with_a_token(served, token):
    made = bearer(token())
    asked = {"Origin": "https://lab.example", "Access-Control-Request-Method": "POST"}
    told = {"Origin": "https://lab.example", "Sec-Fetch-Site": "cross-site"}
    closed = served()
    answer = closed.options(JOBS, headers=asked)
    assert "access-control-allow-origin" not in answer.headers
    assert closed.get("/api/v1/session", headers={**told, **made}).status_code == 403
    client = served(cors_origins=("https://lab.example",))
    answer = client.options(JOBS, headers={**asked, "Access-Control-Request-Headers": "authorization"})
    assert answer.headers["access-control-allow-origin"] == "https://lab.example"
    assert "access-control-allow-credentials" not in answer.headers
    answer = client.post(JOBS, headers={**told, **made})
    assert answer.status_code == 202
    assert answer.headers["access-control-allow-origin"] == "https://lab.example"
    assert client.post(JOBS, headers=told).status_code == 403
    other = client.options(JOBS, headers={**asked, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


def test_a_database_that_is_away_is_told_as_that(served, monkeypatch, caplog):
    def away(*_: object) -> None:
        raise OperationalError("SELECT name", {"name": "Zebrowski"}, OSError("connection refused"))

    client = served()
    monkeypatch.setattr(Store, "session", away)
    answer = client.get("/api/v1/findings/" + "ab" * 16)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "Zebrowski" not in answer.text + caplog.text


def test_a_query_of_other_bytes_than_ascii_is_refused() -> None:
    call = Call({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"q=\xff"})
    refusal = misshapen(call)
    assert refusal is not None
    assert (refusal.status, refusal.title) == (400, "Not an address")
