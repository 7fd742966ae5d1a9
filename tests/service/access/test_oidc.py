"""A login at a real, if small, identity provider on loopback, and every way in which it can be abused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import ECKey, RSAKey

from atypia.errors import BadOption
from atypia.service.access import oidc
from atypia.service.access.provider import Provider, ProviderFailed, is_safe
from atypia.service.access.settings import Oidc

HERE = "http://127.0.0.1:8765"
ROLES = {"radiology": "reader", "it": "admin", "guest": "viewer"}
LOGIN, CALLBACK = "/api/v1/oidc/login", "/api/v1/oidc/callback"
SECRET = "a client's secret"


@cache
def signing_keys() -> dict[str, RSAKey | ECKey]:
    return {
        "rsa": RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}),
        "ec": ECKey.generate_key("P-256", {"kid": "ec"}),
    }


class SmallProvider:
    """Issues codes and signs ID tokens with a key of its own; each of its answers can be bent by a test."""

    def __init__(self) -> None:
        self.keys = dict(signing_keys())
        self.use, self.algorithm = "rsa", "RS256"
        self.claims: dict[str, object] = {}
        self.token = None
        self.described: dict[str, object] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.basic = True
        handler = type("Handler", (_Handler,), {"provider": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}/realm"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def authorise(self, address: str) -> str:
        """Log somebody in who came to that address; return where they are sent back to."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        code = f"code{len(self.codes)}"
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}&iss={self.issuer}"

    def description(self) -> dict[str, object]:
        told = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorise",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        if not self.basic:
            told["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
        return {**told, **self.described}

    def exchange(self, form: dict[str, str], authorization: str | None) -> dict[str, str] | None:
        asked = self.codes.pop(form["code"], None)
        login = base64.b64encode(
            f"atypia:{SECRET.replace(' ', '+').replace(chr(39), '%27')}".encode()
        ).decode()
        plain = base64.b64encode(f"atypia:{SECRET}".encode()).decode()
        right = (
            authorization in (f"Basic {login}", f"Basic {plain}")
            if self.basic
            else form.get("client_secret") == SECRET
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        if not right or asked is None or challenge.rstrip(b"=").decode() != asked["code_challenge"]:
            return None
        if form["redirect_uri"] != asked["redirect_uri"]:
            return None
        return {"id_token": self.token or self.sign(asked["nonce"]), "token_type": "Bearer"}

    def sign(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": "atypia", "sub": "7", "iat": now, "exp": now + 300, "nonce": nonce,
            "preferred_username": "alice", "roles": ["radiology"], **self.claims,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        key = self.keys[self.use]
        return jwt.encode({"alg": self.algorithm, "kid": key.kid}, claims, key, [self.algorithm])


class _Handler(BaseHTTPRequestHandler):
    provider: SmallProvider

    def do_GET(self) -> None:
        self.provider.asked.append(self.path)
        if self.path == "/realm/.well-known/openid-configuration":
            self.answer(self.provider.description())
        elif self.path == "/realm/keys":
            self.answer({"keys": [key.as_dict(private=False) for key in self.provider.keys.values()]})
        else:
            self.answer(None)

    def do_POST(self) -> None:
        self.provider.asked.append(self.path)
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(text).items()}
        self.answer(self.provider.exchange(form, self.headers.get("Authorization")))

    def answer(self, told: object) -> None:
        body = json.dumps(told).encode()
        self.send_response(200 if told is not None else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        return


@pytest.fixture
def provider():
    made = SmallProvider()
    yield made
    made.close()


@pytest.fixture
def client(served, provider):
    return served(oidc=settings_of(provider))


def settings_of(provider, **more) -> Oidc:
    return Oidc(provider.issuer, "atypia", more.pop("client_secret", SECRET), roles=ROLES, **more)


def come_back(client, provider, next="/", *, path=LOGIN):
    """Go the whole way; return our answer to the browser that comes back."""
    out = client.get(path, params={"next": next})
    assert out.status_code == 303, out.text
    back = urlsplit(provider.authorise(out.headers["location"]))
    return client.get(f"{back.path}?{back.query}", headers={"Sec-Fetch-Site": "cross-site"})


@pytest.mark.parametrize(("use", "algorithm"), [("rsa", "RS256"), ("rsa", "PS256"), ("ec", "ES256")])
@pytest.mark.parametrize("basic", [True, False])
def test_a_login(client, provider, audited, use, algorithm, basic):
    provider.use, provider.algorithm, provider.basic = use, algorithm, basic
    assert client.get("/api/v1/tokens").status_code == 401
    answer = come_back(client, provider, "/findings?job=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/findings?job=1")
    cookies = answer.headers.get_list("set-cookie")
    assert any(
        one.startswith("atypia=") and "SameSite=strict" in one and "HttpOnly" in one for one in cookies
    )
    told = client.get("/api/v1/session").json()
    assert told["user"] == {"name": "alice", "role": "reader", "kind": "login"}
    signed = {"X-CSRF-Token": told["csrf"], "Origin": HERE}
    assert client.post("/api/v1/jobs", headers=signed).status_code == 202
    assert client.post("/api/v1/jobs").status_code == 403
    rows = [(row.who, row.action) for row in audited()]
    assert rows[0] == ("alice", "session.create")


def test_a_public_client_has_no_secret(served, provider):
    provider.exchange = lambda form, authorization: (
        None if authorization or "client_secret" in form
        else {"id_token": provider.sign(provider.codes.pop(form["code"])["nonce"])}
    )  # fmt: skip
    client = served(oidc=settings_of(provider, client_secret=""))
    assert come_back(client, provider).status_code == 303


NOT_FOR_US = [
    {"iss": "https://evil.example"}, {"aud": "other"}, {"aud": ["atypia", "other"]}, {"aud": None},
    {"aud": ["atypia", "other"], "azp": "other"}, {"exp": int(time.time()) - 120}, {"exp": None},
    {"iat": int(time.time()) + 900}, {"iat": None}, {"nonce": "another"}, {"nonce": None}, {"sub": None},
    {"nbf": int(time.time()) + 900}, {"exp": "never"}, {"aud": 7}, {"sub": 7},
]  # fmt: skip


def test_a_token_that_is_not_for_this_login(client, provider):
    for claims in NOT_FOR_US:
        provider.claims = claims
        answer = come_back(client, provider)
        assert (answer.status_code, answer.json()["title"]) == (403, "Not logged in"), claims
        assert client.get("/api/v1/session").json()["user"] is None


def test_a_token_for_us_among_others(client, provider):
    provider.claims = {"aud": ["atypia", "other"], "azp": "atypia"}
    assert come_back(client, provider).status_code == 303


def test_signatures_that_prove_nothing(client, provider):
    now = int(time.time())
    claims = {
        "iss": provider.issuer,
        "aud": "atypia",
        "sub": "7",
        "iat": now,
        "exp": now + 300,
        "roles": ["it"],
    }
    strange = RSAKey.generate_key(2048, {"kid": "rsa"})
    public = provider.keys["rsa"].as_pem(private=False)
    segment = base64.urlsafe_b64encode

    def unsigned(nonce):
        body = segment(json.dumps({**claims, "nonce": nonce}).encode()).rstrip(b"=").decode()
        return segment(b'{"alg":"none","kid":"rsa"}').rstrip(b"=").decode() + f".{body}."

    def shared(nonce):  # the public key, taken for a secret
        parts = [{"alg": "HS256", "kid": "rsa"}, {**claims, "nonce": nonce}]
        text = b".".join(segment(json.dumps(part).encode()).rstrip(b"=") for part in parts)
        return (text + b"." + segment(hmac.digest(public, text, "sha256")).rstrip(b"=")).decode()

    def forged(nonce):
        return jwt.encode({"alg": "RS256", "kid": "rsa"}, {**claims, "nonce": nonce}, strange, ["RS256"])

    def own_key(nonce):
        header = {"alg": "RS256", "jwk": strange.as_dict(private=False)}
        return jwt.encode(header, {**claims, "nonce": nonce}, strange, ["RS256"])

    def unknown(nonce):
        return jwt.encode({"alg": "RS256", "kid": "zz"}, {**claims, "nonce": nonce}, strange, ["RS256"])

    def garbage(_nonce):
        return "a.b.c"

    def no_object(_nonce):
        return jws.serialize_compact({"alg": "RS256", "kid": "rsa"}, "[]", provider.keys["rsa"], ["RS256"])

    for attack in (unsigned, shared, forged, own_key, unknown, garbage, no_object):
        provider.sign = attack
        assert come_back(client, provider).status_code == 403, attack.__name__
        assert client.get("/api/v1/session").json()["user"] is None


def test_an_answer_belongs_to_the_browser_that_asked(client, provider):
    back = urlsplit(provider.authorise(client.get(LOGIN).headers["location"]))
    stolen = f"{back.path}?{back.query}"
    mine = dict(client.cookies)
    client.cookies.clear()
    assert client.get(stolen).status_code == 403
    client.get(LOGIN)
    assert client.get(stolen).status_code == 403
    for name, value in mine.items():
        client.cookies.set(name, value)
    assert "alice" not in str(client.get("/api/v1/session").json())


def test_an_answer_is_good_once(client, provider):
    back = urlsplit(provider.authorise(client.get(LOGIN).headers["location"]))
    kept = {cookie.name: cookie.value for cookie in client.cookies.jar}
    assert client.get(f"{back.path}?{back.query}").status_code == 303
    for name, value in kept.items():
        client.cookies.set(name, value)
    assert client.get(f"{back.path}?{back.query}").status_code in (403, 502)


@pytest.mark.parametrize("change", ["state=x", "iss=https://evil.example", "error=access_denied", "code="])
def test_answers_that_were_bent(client, provider, change):
    back = urlsplit(provider.authorise(client.get(LOGIN).headers["location"]))
    query = {name: values[0] for name, values in parse_qs(back.query).items()}
    name, _, value = change.partition("=")
    answer = client.get(back.path, params={**query, name: value})
    assert answer.status_code == 403
    assert "/realm/token" not in provider.asked


ELSEWHERE = [
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "javascript:x",
    "/a\r\nSet-Cookie: x=1",
    "\\\\evil",
    "/%0d",
    "/ü",
]


def test_nobody_is_sent_elsewhere_after_a_login(client, provider):
    for place in ELSEWHERE:
        answer = come_back(client, provider, place)
        assert answer.headers["location"].startswith("/")
        assert "evil" not in answer.headers["location"]
        assert not any(one.startswith("x=") for one in answer.headers.get_list("set-cookie"))


@given(st.text(max_size=30))
def test_a_safe_next_stays_here(text):
    found = oidc.safe_next(text)
    assert urlsplit(found).netloc == ""
    assert urlsplit(found).scheme == ""
    assert httpx.URL(HERE).join(found).host == "127.0.0.1"


def test_roles_come_from_the_claim_that_is_configured():
    settings = Oidc("https://id.example", "a", roles=ROLES, role_claim="realm.roles", name_claim="email")
    person = oidc.person_of({"sub": "1", "realm": {"roles": ["guest", "it", 7]}, "email": "a\nb@c"}, settings)
    assert (person.role, person.name) == ("admin", "ab@c")
    assert oidc.person_of({"sub": "1", "realm": {"roles": "guest"}}, settings).name == "1"
    for claims in (
        {},
        {"realm": "it"},
        {"realm": {"roles": ["IT"]}},
        {"realm": {"roles": {"it": 1}}},
        {"roles": ["it"]},
    ):
        with pytest.raises(oidc.LoginRefused, match="no role"):
            oidc.person_of({"sub": "1", **claims}, settings)


def test_new_keys_are_asked_for_but_not_often(client, provider, monkeypatch):
    assert come_back(client, provider).status_code == 303
    provider.keys["rsa"] = RSAKey.generate_key(2048, {"kid": "next"})
    assert come_back(client, provider).status_code == 403
    assert provider.asked.count("/realm/keys") == 1
    monkeypatch.setattr("atypia.service.access.provider.AGAIN", 0)
    assert come_back(client, provider).status_code == 303
    assert provider.asked.count("/realm/keys") == 2


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://evil.example"}, {"token_endpoint": "http://id.example/token"}, {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"}, {"padding": "a" * 2_000_000},
    ],
)  # fmt: skip
def test_a_provider_that_is_not_what_it_should_be(client, provider, described):
    provider.described = described
    answer = client.get(LOGIN)
    assert (answer.status_code, answer.json()["title"]) == (502, "No identity provider")
    assert "location" not in answer.headers


def test_a_provider_that_is_gone(client, provider, capsys):
    provider.close()
    answer = client.get(LOGIN)
    assert answer.status_code == 502
    assert provider.issuer not in answer.text
    assert SECRET not in "".join(capsys.readouterr())


def test_nobody_is_followed_elsewhere():
    def elsewhere(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"Location": "http://169.254.169.254/"})

    provider = Provider(Oidc("https://id.example", "a", roles=ROLES), httpx.MockTransport(elsewhere))
    with pytest.raises(ProviderFailed, match="302"):
        provider.description()


def test_without_a_provider_there_is_no_way_there(served):
    assert served().get(LOGIN).status_code == 404
    assert served().get(CALLBACK).status_code == 404


def test_behind_a_proxy_one_comes_back_to_the_public_url(served, provider):
    client = served(oidc=settings_of(provider), public_url="https://scans.example.org")
    out = client.get(LOGIN, headers={"Host": "scans.example.org"})
    asked = parse_qs(urlsplit(out.headers["location"]).query)
    assert asked["redirect_uri"] == [f"https://scans.example.org{CALLBACK}"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://id.example"}, {"issuer": "id.example"}, {"client_id": ""}, {"roles": {}},
        {"roles": {"a": "root"}}, {"scopes": ("profile",)},
    ],
)  # fmt: skip
def test_settings_that_cannot_be(wrong):
    with pytest.raises(BadOption, match=r"access\.oidc"):
        Oidc(**{"issuer": "https://id.example", "client_id": "a", "roles": ROLES, **wrong})


def test_only_what_is_encrypted_or_stays_here_is_safe():
    assert is_safe("https://id.example/a?b")
    assert is_safe("http://localhost:8080/a")
    assert not is_safe("http://id.example/a")
    assert not is_safe("https://user@id.example/")
