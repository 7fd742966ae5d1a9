"""What runs in the process of a worker, which its supervisor starts anew by spawning."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing.synchronize import BoundedSemaphore
from types import FrameType

import structlog
from sqlalchemy.exc import SQLAlchemyError

from atypia.errors import AtypiaError
from atypia.service import alike
from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.service.store.database import Store
from atypia.service.store.screeners import default_of
from atypia.service.telling import place_of, tell_in_json, without_words
from atypia.service.work.held import Held
from atypia.service.work.worker import Worker

POLL_SECONDS = 0.5
PAUSE_SECONDS = 2.0
GIVE_WAY_SECONDS = 1.0
GIVE_BACK_SECONDS = 2.0
FAILED = 71
"""The exit code of a worker that met what it should not."""
_log = structlog.get_logger("atypia.worker")


@dataclass(frozen=True)
class Task:
    """What a worker's process is told: settings, its name in the queue, its threads, who started it."""

    settings: Settings
    owner: str
    threads: int | None
    parent: int


def run(task: Task, wake: BoundedSemaphore) -> None:
    """Judge what waits until a signal comes, or the process that started this one is gone."""
    tell_in_json(task.settings.log_level)
    with without_words():
        _run(task, wake)


def _run(task: Task, wake: BoundedSemaphore) -> None:
    home = Home(task.settings.data)
    os.environ.setdefault("ATYPIA_KEY", str(home.path / "group.key"))  # rather than one of this user's
    store = Store(task.settings.database, home)
    worker = Worker(task.settings, store, home, task.owner, task.threads)

    def end(_number: int, _frame: FrameType | None) -> None:
        worker.stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal, which tells the supervisor too
    threading.Thread(target=_watch, args=(task.parent, worker), daemon=True).start()
    _make_ready(worker, store)
    _look_alike(worker, store, home, task.settings)
    while not worker.stop.is_set():
        if not _once(worker):
            wake.acquire(timeout=POLL_SECONDS)
    store.close()


def _once(worker: Worker) -> int:
    """Judge what waits; a database that is away, or a disk that is full, may be better after a while.

    Whatever else is raised ends the process, without its words, and the supervisor starts another.
    """
    try:
        return worker.once()
    except (SQLAlchemyError, AtypiaError, OSError) as error:
        _log.error("nothing taken", error=type(error).__name__)
        time.sleep(PAUSE_SECONDS)  # not by `stop`, whose lock its signal's handler would wait for
        return 0
    except Exception as error:
        _log.error("worker failed", error=type(error).__name__, where=place_of(error.__traceback__))
        raise SystemExit(FAILED) from None


def _watch(parent: int, worker: Worker) -> None:
    """End at once where the supervisor is gone: another server may take up the jobs.

    That it went was no fault of theirs, and is not counted as a try.
    """
    while os.getppid() == parent:
        threading.Event().wait(1.0)
    worker.stop.set()
    giving = threading.Thread(target=worker.give_all_back, daemon=True)
    giving.start()
    giving.join(GIVE_BACK_SECONDS)
    os._exit(0)


def _default(store: Store) -> tuple[str, str, str] | None:
    with store.session() as session:
        row = default_of(session)
        return None if row is None else (row.id, row.sha256, row.name)


def _make_ready(worker: Worker, store: Store) -> None:
    """Load the default Screener before the first job asks for it; where that fails, the job tells why."""
    try:
        told = _default(store)
        if told is not None:
            worker.held.get(*told)
    except (AtypiaError, OSError, SQLAlchemyError) as error:
        _log.warning("the default Screener is not loaded", error=type(error).__name__)


def _look_alike(worker: Worker, store: Store, home: Home, settings: Settings) -> None:
    """Have the healthy scans kept that are shown beside others, for the default Screener, in a thread.

    Judging does not wait for it, comes first, and goes on where it fails.
    """

    def keep() -> None:
        try:
            told = _default(store)
            if told is not None and not alike.is_there(home, told[1]):
                screener = Held(settings, home, 1).get(*told).screener
                alike.ensure(
                    home, told[1], screener, settings.healthy, lambda: worker.idle.wait(GIVE_WAY_SECONDS)
                )
        except Exception as error:
            _log.warning("no healthy scans are shown beside others", error=type(error).__name__)

    if worker.owner.endswith("-0"):
        threading.Thread(target=keep, name="healthy", daemon=True).start()
