"""Pages of a list that stay right while rows come and go: each begins where the one before ended."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, false, or_
from sqlalchemy.orm import InstrumentedAttribute, Session

from atypia.service.store.models import Utc, in_utc

Row = TypeVar("Row")


class BadCursor(ValueError):
    """A cursor is not one that a page of this list gave."""


@dataclass(frozen=True)
class Sort:
    """An order of a list: by a column, rows without a value last; rows of one value by `ties`, then by `id`.

    `ties` are columns, each with whether its highest come first.
    """

    name: str
    column: InstrumentedAttribute[Any]
    id: InstrumentedAttribute[Any]
    descending: bool = False
    ties: tuple[tuple[InstrumentedAttribute[Any], bool], ...] = ()

    @property
    def keys(self) -> tuple[tuple[InstrumentedAttribute[Any], bool], ...]:
        """All columns that it goes by, each with whether its highest come first."""
        return ((self.column, self.descending), *self.ties, (self.id, self.descending))

    def order(self) -> list[ColumnElement[Any]]:
        """Return what a statement is ordered by."""
        return [(key.desc() if falls else key.asc()).nulls_last() for key, falls in self.keys]

    def backwards(self) -> list[ColumnElement[Any]]:
        """Return the order from the last to the first."""
        return [(key.asc() if falls else key.desc()).nulls_first() for key, falls in self.keys]

    def after(self, place: Sequence[Any]) -> ColumnElement[bool]:
        """Return what is true of the rows that come after the one at a place."""
        return self._beyond(place, _further)

    def before(self, place: Sequence[Any]) -> ColumnElement[bool]:
        """Return what is true of the rows that come before the one at a place."""
        return self._beyond(place, _nearer)

    def _beyond(self, place: Sequence[Any], beyond: _Beyond) -> ColumnElement[bool]:
        """Return what is true of rows that are beyond by some column, and equal by those before it."""
        found, equal = [], list[ColumnElement[bool]]()
        for (key, falls), value in zip(self.keys, place, strict=True):
            found.append(and_(*equal, beyond(key, value, falls)))
            equal.append(key.is_(None) if value is None else key == value)
        return or_(*found)

    def place(self, row: object) -> tuple[Any, ...]:
        """Return the values of a row, by which it has its place."""
        return tuple(getattr(row, key.key) for key, _ in self.keys)


_Beyond = Callable[[InstrumentedAttribute[Any], Any, bool], ColumnElement[bool]]


def _further(key: InstrumentedAttribute[Any], value: Any, falls: bool) -> ColumnElement[bool]:
    if value is None:
        return false()
    return or_(key < value if falls else key > value, key.is_(None))


def _nearer(key: InstrumentedAttribute[Any], value: Any, falls: bool) -> ColumnElement[bool]:
    if value is None:
        return key.is_not(None)
    nearer: ColumnElement[bool] = key > value if falls else key < value
    return nearer


def page(
    session: Session, statement: Select[Row], sort: Sort, limit: int, cursor: str | None
) -> tuple[Sequence[Row], str | None]:
    """Return up to `limit` rows after a cursor, and the cursor of the next page, None where this is the last.

    Raises BadCursor for one of another list or order.
    """
    if cursor is not None:
        statement = statement.where(sort.after(_read(cursor, sort)))
    rows = session.scalars(statement.order_by(*sort.order()).limit(limit + 1)).all()
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], _written(sort, rows[limit - 1])


def _written(sort: Sort, row: object) -> str:
    told = [value.isoformat() if isinstance(value, datetime) else value for value in sort.place(row)]
    return base64.urlsafe_b64encode(json.dumps([sort.name, *told]).encode()).decode().rstrip("=")


def _read(cursor: str, sort: Sort) -> list[Any]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        name, *values = json.loads(text)
        if name != sort.name:
            raise BadCursor("The cursor is of a list in another order.")
        return [_typed(value, key) for (key, _), value in zip(sort.keys, values, strict=True)]
    except (binascii.Error, ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadCursor("Expected the cursor that a page of this list gave as `next`.") from error


def _typed(value: Any, column: InstrumentedAttribute[Any]) -> Any:
    """Return a value as its column has it; raise ValueError for anything else."""
    if value is None:
        return None
    kind = column.type.python_type
    if isinstance(column.type, Utc):
        found = datetime.fromisoformat(value)
        if found.tzinfo is None:
            raise ValueError("expected a time with a zone")
        return in_utc(found)
    if kind is float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError("expected a number")
        return float(value)
    if isinstance(value, bool) or not isinstance(value, kind):
        raise ValueError(f"expected {kind.__name__}")
    if kind is int and abs(value) >= 2**63:
        raise ValueError("expected an identifier")
    if kind is str and "\x00" in value:
        raise ValueError("expected an identifier")
    return value
