"""A data folder, a database of either kind, a Screener that takes milliseconds, and scans to upload."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import httpx
import numpy as np
import pytest

from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.service.store import models, screeners
from atypia.service.store.database import Store

POSTGRES_USER = "postgres"


class Room:
    """`atypia serve` in a process of its own, at free ports of loopback, and a client of it."""

    def __init__(self, data: Path, screener: Path, settings: str, *words: object) -> None:
        config = data.with_suffix(".toml")
        config.write_text(settings)
        given = [
            screener,
            "--data",
            data,
            "--config",
            config,
            "--port",
            0,
            "--workers",
            1,
            "--threads",
            1,
            *words,
        ]
        self.data = data
        self.process = subprocess.Popen(
            [sys.executable, "-m", "atypia", "serve", *map(str, given)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.said: list[str] = []
        self.log: list[str] = []
        self.client: httpx.Client | None = None
        self._threads = [
            threading.Thread(target=kept.extend, args=(stream,), daemon=True)
            for stream, kept in ((self.process.stdout, self.said), (self.process.stderr, self.log))
        ]
        for thread in self._threads:
            thread.start()

    def open(self) -> None:
        """Wait until it answers."""
        self.until(lambda: any("Ctrl+C" in line for line in self.said))
        self.url = re.search(r"http://\S+", "".join(self.said)).group()
        dicom = re.search(r"C-STORE at port (\d+)", "".join(self.said))
        self.dicom_port = int(dicom[1]) if dicom else None
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def until(self, true: Callable[[], bool], seconds: float = 90.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert self.process.poll() is None, "".join(self.log)
            assert time.monotonic() < end, "".join(self.log)
            time.sleep(0.05)

    def send(self, *files: tuple[str, bytes], **fields: str) -> httpx.Response:
        return self.client.post("/api/v1/jobs", files=[("files", one) for one in files], data=fields)

    def ended(self, answer: httpx.Response) -> tuple[dict, list[dict]]:
        """The job of an upload when it has ended, and its findings in their order."""
        assert answer.status_code == 202, answer.text
        place = f"/api/v1/jobs/{answer.json()['id']}"
        self.until(lambda: self.client.get(place).json()["state"] not in ("queued", "running"))
        asked = {"job": answer.json()["id"], "limit": 500}
        rows = self.client.get("/api/v1/findings", params=asked).json()["items"]
        return self.client.get(place).json(), sorted(rows, key=lambda row: row["index"])

    def close(self) -> int:
        """End it, and return its exit code."""
        if self.client is not None:
            self.client.close()
        self.process.terminate()
        try:
            return self.process.wait(30)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)
            for thread in self._threads:
                thread.join(10)
            self.process.stdout.close()
            self.process.stderr.close()


@pytest.fixture(scope="module")
def open_room(quick_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Room]]:
    """`open_room(settings, *words)` starts a server; all are ended with the module."""
    rooms: list[Room] = []

    def start(settings: str = "", *words: object) -> Room:
        rooms.append(Room(tmp_path_factory.mktemp("room") / "data", quick_file, settings, *words))
        rooms[-1].open()
        return rooms[-1]

    yield start
    for room in rooms:
        if not room.process.stdout.closed:
            room.close()


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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 8 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True, capture_output=True)
