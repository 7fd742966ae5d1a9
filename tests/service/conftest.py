"""A data folder, a database of either kind, a Screener that takes milliseconds, and scans to upload."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.service.store import models, screeners
from atypia.service.store.database import Store

POSTGRES_USER = "postgres"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty data folder."""
    made = Home(tmp_path / "service")
    made.make()
    return made


@pytest.fixture
def settings(home: Home) -> Settings:
    """Those of a laptop, for that data folder."""
    return Settings(data=home.path, workers=1, threads=1)


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    """A SQLite database with all tables, empty."""
    made = Store(None, home)
    made.migrate()
    yield made
    made.close()


@pytest.fixture(scope="session")
def screener_file(quick_file: Path) -> Path:
    """A saved Screener that takes milliseconds for a scan."""
    return quick_file


@pytest.fixture(scope="session")
def described(screener_file: Path) -> dict[str, object]:
    """What is known of that Screener."""
    return screeners.describe(screener_file)


@pytest.fixture
def screener(home: Home, store: Store, screener_file: Path, described: dict[str, object]) -> models.Screener:
    """The row of that Screener, the default one of the store."""
    sha256 = screeners.keep(home, screener_file)
    with store.write() as session:
        size = screener_file.stat().st_size
        return screeners.register(session, sha256, described, name="quick", size=size)


@pytest.fixture(scope="session")
def head_png(draw_heads: Callable[..., tuple[np.ndarray, np.ndarray]]) -> Callable[..., bytes]:
    """`head_png(seed, lesion=0.0, size=32)` gives the bytes of a picture of a head."""
    from PIL import Image

    def draw(seed: int = 0, lesion: float = 0.0, size: int = 32) -> bytes:
        heads, _ = draw_heads(1, size=size, seed=seed, lesion=lesion)
        file = io.BytesIO()
        Image.fromarray(np.uint8(255 * heads[0])).save(file, "PNG")
        return file.getvalue()

    return draw


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL of Debian with a socket in a folder of its own; gives the address of its main database."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name))
    found = shutil.which("initdb") or (places and str(places[-1] / "initdb"))
    if not found:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    pytest.importorskip("psycopg", reason="no psycopg here: pip install 'atypia[postgres]'")
    programs = Path(os.path.realpath(found)).parent
    folder = Path(tempfile.mkdtemp(prefix="atypia-postgres-"))  # its socket's name may not be long
    as_user = _unprivileged(folder)
    try:
        # No "fsync": what it keeps need not outlive the tests.
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        for command in (
            [programs / "initdb", "-D", folder / "data", "-U", "atypia", "-A", "trust", "-E", "UTF8"],
            [programs / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start"],
        ):
            subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=60, **as_user)
        yield f"postgresql+psycopg://atypia@/postgres?host={folder}"
    finally:
        stop = [programs / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop"]
        subprocess.run(stop, check=False, capture_output=True, cwd="/", timeout=60, **as_user)
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(folder: Path) -> dict[str, object]:
    """PostgreSQL refuses to run as root: then it runs as its own user, to whom the folder is given."""
    if os.getuid() != 0:
        return {}
    try:
        shutil.chown(folder, POSTGRES_USER, POSTGRES_USER)
    except LookupError:
        shutil.rmtree(folder)
        pytest.skip(f"the tests run as root, and there is no user {POSTGRES_USER!r} to run PostgreSQL as")
    return {"user": POSTGRES_USER, "group": POSTGRES_USER, "extra_groups": []}


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The address of an empty database of that PostgreSQL, as a user gives it to `--database`."""
    import psycopg
    from sqlalchemy import make_url

    name, main = f"t{uuid4().hex}", make_url(postgres_server)
    told = {"host": str(main.query["host"]), "user": "atypia", "dbname": "postgres", "autocommit": True}
    with psycopg.connect(**told) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield main.set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(**told) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgresql"])
def any_store(request: pytest.FixtureRequest, home: Home) -> Iterator[Store]:
    """A store of either kind, with all tables; skipped for PostgreSQL where there is none."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    made = Store(url, home)
    made.migrate()
    yield made
    made.close()
