"""The steps that bring a database of any earlier version to the tables of this one (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def bring_up(connection: Connection) -> None:
    """Take all steps that this database has not taken, in the transaction that is open."""
    script = ScriptDirectory(Path(__file__).parent)
    context = MigrationContext.configure(
        connection,
        opts={
            "fn": lambda now, _: script._upgrade_revs("head", now),
            "script": script,
            "transactional_ddl": True,
        },
    )
    with Operations.context(context):
        context.run_migrations()
