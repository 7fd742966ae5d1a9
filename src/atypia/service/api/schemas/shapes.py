"""What the shapes of all routes are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from atypia.service.store.models import in_utc

HEXADECIMAL = "^[0-9a-f]{32}$"
Id = Annotated[str, StringConstraints(pattern=HEXADECIMAL)]
InPath = Annotated[str, Path(pattern=HEXADECIMAL, description="Identifier: 32 hexadecimal digits.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=500, description="Rows of a page, at most.")]
Text = Annotated[str, StringConstraints(max_length=2000, pattern="^[^\\x00]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern="^[^\\x00-\\x1f\\x7f]+$")]
Time = Annotated[datetime, AfterValidator(in_utc)]
"""A time that is asked for; one without a zone is taken as UTC."""
Item = TypeVar("Item")


class Shape(BaseModel):
    """A shape without members that nobody told of."""

    model_config = ConfigDict(extra="forbid")


class Page(Shape, Generic[Item]):
    """Rows, and the cursor of those that follow; null where none do."""

    items: list[Item]
    next: str | None = None


class Counted(Page[Item], Generic[Item]):
    """A page that also tells how many rows there are in all."""

    total: int


class ProblemDetails(BaseModel):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    instance: str | None = None
