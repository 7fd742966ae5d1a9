"""Tokens: made, shown once, kept as a hash, found again, revoked.

A token is 256 random bits. That cannot be guessed, so that one SHA-256 protects it at rest; a slow hash, as
for passwords that people choose, would add nothing but time to each request.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any

from sqlalchemy import Select, or_, select, update
from sqlalchemy.orm import Session

from atypia.errors import BadOption
from atypia.service.access.settings import ROLES
from atypia.service.store.models import Login, Token, now

PREFIX = "atypia_"
_TOKEN = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[^\W_][\w .@-]{0,99}")
TOUCH = timedelta(minutes=1)
MOST_DAYS = 3650


def new_secret() -> str:
    """Return 256 random bits as 43 characters that a header and a cookie can carry."""
    return secrets.token_urlsafe(32)


def is_token(text: str) -> bool:
    """Tell whether a text has the shape of a token; most that do are none."""
    return _TOKEN.fullmatch(text) is not None


def holds_token(text: str) -> bool:
    """Tell whether something in a text looks like a token."""
    return _TOKEN.search(text) is not None


def hash_of(secret: str) -> str:
    """Return what is kept of a secret: its SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def check_name(name: str) -> str:
    """Return the name of a token without spaces around it; raise BadOption for one that is not plain.

    >>> check_name(" ward 3 ")
    'ward 3'
    """
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise BadOption(
            "The name of a token: expected up to 100 letters, digits, spaces and any of . _ @ -, with a "
            f"letter or digit first; received {name[:100]!r}."
        )
    return name


def add(session: Session, name: str, role: str, days: float | None) -> tuple[Token, str]:
    """Make a token, valid for `days` (None: until it is revoked); return its row and what to show once.

    Raises BadOption for a name, role or time that makes no sense, or the name of a token that is still valid.
    """
    if role not in ROLES:
        raise BadOption(f"The role of a token: expected one of {', '.join(ROLES)}; received {role!r}.")
    if days is not None and not 0 < days <= MOST_DAYS:
        raise BadOption(f"The time of a token: expected up to {MOST_DAYS} days, received {days!r}.")
    name = check_name(name)
    if session.scalar(_usable().where(Token.name == name).limit(1)) is not None:
        raise BadOption(f"A token named {name!r} is there already. Revoke it first, or take another name.")
    secret = PREFIX + new_secret()
    row = Token(
        name=name,
        role=role,
        hash=hash_of(secret),
        expires=None if days is None else now() + timedelta(days=days),
    )
    session.add(row)
    session.flush()
    return row, secret


def find(session: Session, secret: str) -> Token | None:
    """Return the row of a valid token, or None."""
    if not is_token(secret):
        return None
    digest = hash_of(secret)
    row = session.scalar(_usable().where(Token.hash == digest))
    return row if row is not None and compare_digest(row.hash, digest) else None


def touch(session: Session, token: str) -> None:
    """Note that a token was used now."""
    session.execute(update(Token).where(Token.id == token).values(last_used=now()))


def is_stale(last_used: datetime | None) -> bool:
    """Tell whether the time of the last use is to be written anew: at most once a minute."""
    return last_used is None or now() - last_used >= TOUCH


def listed(session: Session) -> Sequence[Token]:
    """Return all tokens, the newest first."""
    return session.scalars(select(Token).order_by(Token.created.desc(), Token.id)).all()


def revoke(session: Session, which: str) -> Token | None:
    """Revoke a token by its id, or the valid one of a name, with its logins; None where there is none."""
    row = session.get(Token, which) or session.scalar(_usable().where(Token.name == which).limit(1))
    if row is None:
        return None
    row.revoked = True
    for login in session.scalars(select(Login).where(Login.token == row.id)):
        session.delete(login)
    return row


def any_made(session: Session) -> bool:
    """Tell whether a token was ever made: from then on nobody comes in without one."""
    return session.scalar(select(Token.id).limit(1)) is not None


def any_usable(session: Session) -> bool:
    """Tell whether there is a token that somebody could come in with."""
    return session.scalar(_usable().limit(1)) is not None


def _usable() -> Select[Any]:
    return select(Token).where(Token.revoked.is_(False), or_(Token.expires.is_(None), Token.expires > now()))
