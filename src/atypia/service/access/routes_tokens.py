"""Tokens, for administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from atypia.errors import BadOption
from atypia.service.access import tokens
from atypia.service.access.routes_session import There
from atypia.service.access.users import User, note, require
from atypia.service.api.problems import Problem, not_found
from atypia.service.store.models import Token

router = APIRouter(prefix="/tokens", tags=["access"])
Admin = Annotated[User, Depends(require("admin"))]
InPath = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Identifier: 32 hexadecimal digits.")]


class TokenShown(BaseModel):
    """A token, without itself."""

    id: str
    name: str
    role: str
    created: datetime
    expires: datetime | None
    last_used: datetime | None
    revoked: bool


class TokenMade(TokenShown):
    """A new token, this one time with itself."""

    token: str


class TokensShown(BaseModel):
    """All tokens, the newest first."""

    items: list[TokenShown]


class TokenWanted(BaseModel):
    """A token to be made; `days` null: valid until it is revoked."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100)
    role: Literal["viewer", "reader", "admin"]
    days: float | None = Field(default=None, gt=0, le=tokens.MOST_DAYS)


@router.get("")
def list_tokens(_: Admin, there: There) -> TokensShown:
    """List all tokens that were ever made."""
    with there.store.session() as session:
        return TokensShown(items=[TokenShown(**_told(row)) for row in tokens.listed(session)])


@router.post("", status_code=201)
def make_token(wanted: TokenWanted, _: Admin, request: Request, there: There) -> TokenMade:
    """Make a token. From the first one on, everybody has to say who they are, on loopback too."""
    try:
        with there.store.write() as session:
            row, secret = tokens.add(session, wanted.name, wanted.role, wanted.days)
    except BadOption as error:
        raise Problem(422, "Not a token to be made", str(error)) from error
    note(request, "token.create", row.id, role=row.role)
    return TokenMade(**_told(row), token=secret)


@router.delete("/{id}", status_code=204)
def revoke_token(id: InPath, _: Admin, request: Request, there: There) -> None:
    """Revoke a token, with the logins that it gave, at once."""
    with there.store.write() as session:
        row = tokens.revoke(session, id)
    if row is None:
        raise not_found("token")
    note(request, "token.revoke", id)


def _told(row: Token) -> dict[str, Any]:
    return {name: getattr(row, name) for name in TokenShown.model_fields}
