"""Tokens at rest and in use."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text

from atypia.errors import BadOption
from atypia.service.access import logins, tokens
from atypia.service.access.settings import AccessSettings
from atypia.service.store.models import Login, Token, now


def test_a_token_is_found_by_itself_alone(store):
    with store.write() as session:
        row, secret = tokens.add(session, "ward 3", "reader", 30)
    assert tokens.is_token(secret)
    assert secret.startswith("atypia_")
    with store.session() as session:
        assert tokens.find(session, secret).id == row.id
        assert tokens.find(session, secret[:-1] + ("A" if secret[-1] != "A" else "B")) is None
        assert tokens.find(session, row.hash) is None


def test_what_is_kept_of_a_token_does_not_hold_it(store, home):
    with store.write() as session:
        _, secret = tokens.add(session, "ward 3", "reader", 30)
        cookie = logins.begin(session, AccessSettings(), "ward 3", "reader", None, None)
        session.execute(text("SELECT 1"))
    kept = b"".join(path.read_bytes() for path in home.path.glob("atypia.sqlite*"))
    assert b"ward 3" in kept
    for hidden in (secret, cookie, logins.csrf_of(cookie)):
        assert hidden.encode() not in kept


@given(st.text(max_size=80))
def test_nothing_else_has_the_shape_of_a_token(given_text):
    if tokens.is_token(given_text):
        assert len(given_text) == 50
        assert given_text.isascii()


def test_a_token_ends(store):
    with store.write() as session:
        row, secret = tokens.add(session, "short", "viewer", 1)
        row.expires = now() - timedelta(seconds=1)
    with store.session() as session:
        assert tokens.find(session, secret) is None
        assert not tokens.any_usable(session)
        assert tokens.any_made(session)


def test_revoking_ends_the_token_and_its_logins(store):
    access = AccessSettings()
    with store.write() as session:
        row, secret = tokens.add(session, "gone", "admin", None)
        cookie = logins.begin(session, access, "gone", "admin", row.id, None)
        other = logins.begin(session, access, "other", "viewer", None, None)
    with store.write() as session:
        assert tokens.revoke(session, "gone").id == row.id
    with store.session() as session:
        assert tokens.find(session, secret) is None
        assert logins.find(session, access, cookie) is None
        assert logins.find(session, access, other) is not None


@pytest.mark.parametrize(
    ("name", "role", "days"),
    [
        ("a", "root", None),
        ("", "admin", None),
        ("=cmd()", "admin", None),
        ("a\nb", "admin", None),
        ("a" * 101, "admin", None),
        ("a", "admin", 0),
        ("a", "admin", float("nan")),
        ("a", "admin", 1e9),
    ],
)
def test_what_makes_no_sense_is_refused(store, name, role, days):
    with pytest.raises(BadOption, match="token"), store.write() as session:
        tokens.add(session, name, role, days)


def test_two_valid_tokens_do_not_share_a_name(store):
    with store.write() as session:
        tokens.add(session, "one", "viewer", None)
    with pytest.raises(BadOption, match="already"), store.write() as session:
        tokens.add(session, "one", "viewer", None)
    with store.write() as session:
        tokens.revoke(session, "one")
        tokens.add(session, "one", "viewer", None)
        assert len(tokens.listed(session)) == 2


def test_a_login_ends_when_it_is_not_used_and_when_it_is_old(store):
    access = AccessSettings(idle_minutes=10, login_hours=1)
    with store.write() as session:
        cookie = logins.begin(session, access, "reader", "reader", None, None)
    with store.write() as session:
        row = session.scalar(select(Login))
        assert not logins.find(session, access, cookie).stale
        row.expires = now() + timedelta(minutes=5)
        session.flush()
        found = logins.find(session, access, cookie)
        assert found.stale
        logins.keep(session, access, found.user.id)
        assert row.expires > now() + timedelta(minutes=9)
        row.created = now() - timedelta(minutes=58)
        logins.keep(session, access, found.user.id)
        assert row.expires < now() + timedelta(minutes=3)
        row.expires = now() - timedelta(seconds=1)
        session.flush()
        assert logins.find(session, access, cookie) is None
        row.expires, row.created = now() + timedelta(hours=9), now() - timedelta(hours=2)
        session.flush()
        assert logins.find(session, access, cookie) is None


def test_a_new_login_takes_the_role_that_its_token_has_now(store):
    access = AccessSettings()
    with store.write() as session:
        row, _ = tokens.add(session, "one", "admin", None)
        cookie = logins.begin(session, access, "one", "admin", row.id, None)
        session.get(Token, row.id).role = "viewer"
    with store.session() as session:
        assert logins.find(session, access, cookie).user.role == "viewer"


def test_works_on_every_database(any_store):
    with any_store.write() as session:
        row, secret = tokens.add(session, "one", "admin", 1)
        cookie = logins.begin(session, AccessSettings(), "one", "admin", row.id, None)
    with any_store.write() as session:
        assert tokens.find(session, secret).role == "admin"
        assert logins.find(session, AccessSettings(), cookie).user.name == "one"
        tokens.touch(session, row.id)
    with any_store.write() as session:
        assert not tokens.is_stale(session.get(Token, row.id).last_used)
        tokens.revoke(session, row.id)
        assert session.scalar(select(Login)) is None
