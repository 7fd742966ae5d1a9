"""Write the migration that the tables of the service need after a change of `service/store/models.py`.

    uv run python tools/make_migration.py "Give findings a colour."

It compares the models with what the migrations so far make of an empty SQLite, and writes the difference
as the next `vNNNN.py`. Read it before you commit it: a column that is renamed looks like one that goes and
one that comes. Constraints that SQLite cannot change need `op.batch_alter_table`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from atypia.service.store import migrations
from atypia.service.store.models import Base

VERSIONS = Path(migrations.__file__).parent / "versions"
HEAD = '''"""{told}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from atypia.service.store import models

revision = "{number:04}"
down_revision = {before}


def upgrade() -> None:
    """Take this step."""
    {code}
'''


def main() -> None:
    told = sys.argv[1] if len(sys.argv) > 1 else sys.exit(__doc__)
    before = sorted(VERSIONS.glob("v*.py"))
    with create_engine("sqlite://").begin() as connection:
        if before:
            migrations.bring_up(connection)
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "user_module_prefix": "models."}
        )
        steps = produce_migrations(context, Base.metadata).upgrade_ops
    if steps is None or steps.is_empty():
        sys.exit("The models and the migrations agree: nothing is to be written.")
    file, last = VERSIONS / f"v{len(before) + 1:04}.py", f'"{len(before):04}"' if before else None
    code = render_python_code(steps, user_module_prefix="models.").strip()
    code = code.replace("astext_type=Text()", "astext_type=sa.Text()")  # else it is not known
    lines = [line for line in code.splitlines() if not line.strip().startswith("#")]
    file.write_text(
        HEAD.format(told=told, number=len(before) + 1, before=last, code="\n".join(lines).strip())
    )
    for command in (["check", "--fix", "-s"], ["format", "-q"]):
        subprocess.run([sys.executable, "-m", "ruff", *command, str(file)], check=False)
    print(file)


if __name__ == "__main__":
    main()
