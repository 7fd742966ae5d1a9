"""What a server asks for before it can be reached, and what cannot be set."""

from __future__ import annotations

from dataclasses import replace

import pytest

from atypia.errors import BadOption
from atypia.service.access import check_exposure, server_options
from atypia.service.access import tokens as of_tokens
from atypia.service.access.settings import AccessSettings, Oidc
from atypia.service.settings import read_settings

OIDC = Oidc("https://id.example", "atypia", roles={"it": "admin"})


def exposed(settings, store, host="0.0.0.0", **access):
    return check_exposure(replace(settings, host=host, access=AccessSettings(**access)), store)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_on_loopback_nothing_is_asked_for(settings, store, host):
    assert exposed(settings, store, host) == ()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
@pytest.mark.parametrize("access", [{}, {"trusted_proxies": ("10.0.0.1",)}])
def test_off_loopback_it_does_not_start_without_authentication(settings, store, host, access):
    with pytest.raises(BadOption, match="atypia tokens add"):
        exposed(settings, store, host, **access)


def test_a_token_that_nobody_can_use_is_none(settings, store):
    with store.write() as session:
        of_tokens.add(session, "gone", "admin", None)
        of_tokens.revoke(session, "gone")
        of_tokens.add(session, "over", "admin", 1e-9)
    with pytest.raises(BadOption):
        exposed(settings, store)


def test_with_a_token_or_a_login_it_starts(settings, store, certificate):
    assert exposed(settings, store, oidc=OIDC, trusted_proxies=("10.0.0.1",)) == ()
    with store.write() as session:
        of_tokens.add(session, "one", "admin", None)
    (warning,) = exposed(settings, store)
    assert "TLS" in warning
    cert, key = certificate
    assert exposed(settings, store, tls_cert=cert, tls_key=key) == ()


def test_tls_files_are_tried_before(settings, store, certificate, other_certificate, tmp_path):
    (cert, key), (_, other_key) = certificate, other_certificate
    (tmp_path / "empty.pem").touch()
    for wrong_cert, wrong_key, said in (
        (tmp_path / "none.pem", key, "--tls-cert .*none.pem: expected a PEM file"),
        (cert, tmp_path / "none.key", "--tls-key .*none.key: expected a PEM file"),
        (cert, other_key, "key values mismatch"),
        (key, cert, "expected a certificate"),
        (tmp_path / "empty.pem", key, "expected a certificate"),
        (tmp_path, key, "expected a PEM file"),
    ):
        with pytest.raises(BadOption, match=said):
            exposed(settings, store, "127.0.0.1", tls_cert=wrong_cert, tls_key=wrong_key)


def test_a_key_with_a_password_is_not_waited_for(settings, store, certificate, tmp_path):
    from cryptography.hazmat.primitives import serialization

    cert, key = certificate
    locked = tmp_path / "locked.key"
    opened = serialization.load_pem_private_key(key.read_bytes(), None)
    locked.write_bytes(
        opened.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(BadOption, match="without a password"):
        exposed(settings, store, "127.0.0.1", tls_cert=cert, tls_key=locked)


def test_uvicorn_believes_no_proxy_and_says_not_what_it_is(settings):
    options = server_options(settings)
    assert options["proxy_headers"] is False
    assert options["server_header"] is False
    assert options["h11_max_incomplete_event_size"] == settings.access.header_bytes


@pytest.mark.parametrize(
    "wrong",
    [
        {"allowed_hosts": ("a b",)}, {"allowed_hosts": ("*",)}, {"public_url": "example.org"},
        {"tls_cert": "a.pem"},
        {"cors_origins": ("*",)}, {"cors_origins": ("https://a/path",)}, {"cors_origins": ("null",)},
        {"trusted_proxies": ("*",)}, {"trusted_proxies": ("proxy",)}, {"audit_days": -1}, {"json_bytes": 0},
        {"requests_per_minute": float("nan")},
    ],
)  # fmt: skip
def test_settings_that_cannot_be(wrong):
    with pytest.raises(BadOption):
        AccessSettings(**wrong)


def test_settings_of_a_file(tmp_path):
    file = tmp_path / "atypia.toml"
    file.write_text(
        f'data = "{tmp_path}"\n[access]\nallowed_hosts = ["a.example"]\naudit_days = 365\n'
        '[access.oidc]\nissuer = "https://id.example"\nclient_id = "atypia"\nroles = {it = "admin"}\n'
    )
    found = read_settings(
        file, {"access.trusted_proxies": ["10.0.0.1"]}, {"ATYPIA_SERVE_ACCESS__OIDC__CLIENT_SECRET": "x"}
    )
    assert found.access.oidc == replace(OIDC, client_secret="x")
    assert (found.access.allowed_hosts, found.access.trusted_proxies) == (("a.example",), ("10.0.0.1",))
    assert "client_secret" not in repr(found.access.oidc)


@pytest.mark.parametrize("line", ["allowed_host = []", "audit_days = 'x'", "cors_origins = ['*']"])
def test_a_setting_that_is_misspelt_is_not_passed_over(tmp_path, line):
    file = tmp_path / "atypia.toml"
    file.write_text(f'data = "{tmp_path}"\n[access]\n{line}\n')
    with pytest.raises(BadOption):
        read_settings(file, {}, {})
