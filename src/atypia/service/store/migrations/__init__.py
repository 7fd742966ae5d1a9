"""The steps that bring a database of any earlier version to the tables of this one (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from atypia.errors import StoreFailed


def bring_up(connection: Connection) -> None:
    """Take all steps that this database has not taken, in the transaction that is open.

    Raises StoreFailed where it has taken some that this version does not know.
    """
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
        try:
            context.run_migrations()
        except CommandError as error:
            raise StoreFailed(
                "The database was last used by a later version of Atypia, whose tables this one does not "
                "know. Install that version, or name another --data or --database."
            ) from error
