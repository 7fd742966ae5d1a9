"""The options that say which reading room a command is about, and opening it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atypia.cli import options
from atypia.errors import BadOption, MissingExtra

if TYPE_CHECKING:
    from atypia.service.home import Home
    from atypia.service.store.database import Store

OURS = "atypia"


def of_a_server(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command with the options that say which server it is about."""
    for option in (
        click.option("--config", type=options.PATH, metavar="FILE.toml", help="The settings of the server."),
        click.option("--database", metavar="URL", help="PostgreSQL, as given to 'atypia serve'."),
        click.option(
            "--data", type=options.PATH, metavar="FOLDER", help="Data folder. Default: one of this user's."
        ),
    ):
        command = option(command)
    return command


@contextmanager
def opened(
    data: Path | None, database: str | None, config: Path | None, *, making: bool = False
) -> Iterator[tuple[Store, Home]]:
    """Open database and data folder of a server, with all tables; `making` makes them where there are none.

    Raises BadOption where there are none, StoreFailed, or MissingExtra.
    """
    try:
        from atypia.service.home import Home, usual_data
        from atypia.service.settings import read_settings
        from atypia.service.store.database import Store
    except ModuleNotFoundError as error:
        if (error.name or OURS).partition(".")[0] == OURS:
            raise
        raise MissingExtra("The reading room", "serve") from error
    settings = read_settings(config, {"data": data, "database": database}, usual={"data": usual_data()})
    home = Home(settings.data)
    if making and settings.database is None:
        home.make()
    elif not making and not home.key_file.is_file():
        raise BadOption(f"--data {home.path}: expected the data folder of a server, received none.")
    store = Store(settings.database, home)
    try:
        store.migrate()
        yield store, home
    finally:
        store.close()
