"""The database: SQLite in the data folder, or PostgreSQL for several servers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from atypia.errors import BadOption, StoreFailed
from atypia.service.home import Home
from atypia.service.store import events
from atypia.service.store.migrations import bring_up

BUSY_SECONDS = 30
_IMMEDIATE = "immediate"
_MIGRATING = 7_203_118  # any number: the lock that servers which start together agree on


class Store:
    """Sessions with the database at `url`; None is SQLite in the data folder.

    A session is used by one thread. It commits where its block ends well, and rolls back where it raises.
    """

    def __init__(self, url: str | None, home: Home) -> None:
        self.url = url or home.database_url
        self._home = home
        self._engine = _engine(self.url)
        self._reading = sessionmaker(self._engine, expire_on_commit=False)
        self._writing = sessionmaker(
            self._engine.execution_options(**{_IMMEDIATE: True}), expire_on_commit=False
        )
        event.listen(self._writing, "before_commit", events.write_told)
        event.listen(self._writing, "after_rollback", events.forget_told)
        self._turn = Lock()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give a session to read with; what it may write goes through `write`."""
        with self._reading.begin() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give a session to write with: on SQLite the only one at a time, from its first moment.

        Never open another inside it.
        """
        self._home.relieve()
        if self.dialect != "sqlite":
            with self._writing.begin() as session:
                yield session
            return
        # SQLite lets those who wait try again at random; within a process they rather queue.
        if not self._turn.acquire(timeout=BUSY_SECONDS):
            raise StoreFailed("The database was busy for too long. Try again, with fewer requests at once.")
        try:
            with self._writing.begin() as session:
                yield session
        finally:
            self._turn.release()

    def migrate(self) -> None:
        """Bring the tables to what this version needs; raise StoreFailed."""
        try:
            with self._engine.execution_options(**{_IMMEDIATE: True}).begin() as connection:
                if self.dialect == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
                bring_up(connection)
        except DatabaseError as error:
            raise self.failure(error) from error

    def failure(self, error: SQLAlchemyError) -> StoreFailed:
        """Return what is told where the database cannot be used at all."""
        if _is_away(error):
            return StoreFailed(
                f"{self.told}: expected a database that answers, received: {_cause(error)}. "
                "Check that it runs, its address, and that this user may make tables there."
            )
        return StoreFailed(
            f"{self.told}: expected a database of Atypia, received: {_cause(error)}. It is damaged, or "
            "another program's: put back a copy, or name another --data or --database."
        )

    def answers(self) -> bool:
        """Tell whether the database answers."""
        try:
            with self._engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return False
        return True

    def compact(self, *, whole: bool = True) -> bool:
        """Leave no byte of what was deleted in the log of the database and, where `whole`, between its rows.

        What SQLite deletes it overwrites, but its log keeps it, and a copy may stay where rows were moved.
        Whole, the database is written anew, which takes as much room again and keeps writers waiting. On
        PostgreSQL its own VACUUM is run. Return False where others were reading all the time. Call it
        outside of any session.
        """
        try:
            if self.dialect == "postgresql":
                with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.execute(text("VACUUM"))
                return True
            return self._compact_sqlite(whole=whole)
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise StoreFailed(
                "The rows are deleted, but bytes of them may be left in the database: it could not be "
                f"written anew ({type(error).__name__}). Do it again when there is room and little work."
            ) from error

    def _compact_sqlite(self, *, whole: bool) -> bool:
        connection = self._engine.raw_connection()  # one of the library, which begins no transaction
        try:
            cursor = connection.cursor()
            if whole:
                cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            row = cursor.fetchone()
            cursor.close()
            return row is not None and not row[0]
        finally:
            connection.close()

    @property
    def told(self) -> str:
        """The address of the database without its password."""
        return make_url(self.url).render_as_string(hide_password=True)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(url)
        if parsed.get_backend_name() == "postgresql":
            return create_engine(url, pool_size=10, max_overflow=30, pool_pre_ping=True)
    except (ArgumentError, ImportError) as error:
        raise BadOption(
            "--database: expected an address as postgresql+psycopg://USER:PASSWORD@HOST/NAME, received one "
            f"that cannot be used ({type(error).__name__}). PostgreSQL needs: pip install 'atypia[postgres]'"
        ) from error
    raise BadOption(f"--database: expected sqlite or postgresql, received {parsed.get_backend_name()!r}.")


def _sqlite(url: str) -> Engine:
    engine = create_engine(
        url,
        pool_size=8,
        max_overflow=56,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False, "isolation_level": None},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_SECONDS * 1000}",
        "journal_mode=WAL",
        "synchronous=FULL",  # what was acknowledged outlives a loss of power
        "foreign_keys=ON",
        "secure_delete=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get(_IMMEDIATE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _is_away(error: SQLAlchemyError) -> bool:
    return isinstance(error, OperationalError) and "already exists" not in str(error.orig)


def _cause(error: SQLAlchemyError) -> str:
    said = str(getattr(error, "orig", None) or "").strip()
    return said.splitlines()[0] if said else "no answer"
