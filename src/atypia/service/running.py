"""A whole server: database, Screeners, workers, DICOM node and the web side, from its start to its end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from atypia.destination import held
from atypia.errors import BadOption, BadSignature, OutputError
from atypia.pretrained import pretrained_path
from atypia.screening.making import hash_of
from atypia.service import access, node
from atypia.service.addresses import addresses
from atypia.service.api.app import create_app, template_of
from atypia.service.ending import Ending
from atypia.service.forgetting import forget_old
from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.service.store import queue, screeners, trust
from atypia.service.store.database import Store
from atypia.service.store.models import Screener
from atypia.service.telling import Requests, without_words
from atypia.service.work.order import OLD_SECONDS, clear_away, end_and_forget
from atypia.service.work.supervisor import Supervisor
from atypia.signing import PublicKey, demand_signature, signature_path

SHIPPED = "synthetic"
_DRAIN_SECONDS = 2
MANY_FILES = 65_536
_log = structlog.get_logger("atypia.server")


@dataclass(frozen=True)
class Started:
    """What there is to tell of a server that has started: `warnings` are what is allowed but unwise."""

    address: str
    screener: str
    shipped: bool
    workers: int
    dicom_port: int | None
    open_to_all: bool
    data: Path
    warnings: tuple[str, ...]
    others: tuple[str, ...] = ()
    """Further addresses, of one that stands for all of the machine: `address` is then that of itself."""
    key: str | None = None
    """The number of the key that Screeners must be signed by."""


def serve(settings: Settings, files: Sequence[Path], tell: Callable[[Started], None]) -> None:
    """Serve until a signal comes; `tell` is called when the server answers.

    After a signal the process ends within `ending.END_SECONDS`, whether this returns until then or not.

    `files` are Screeners to register, of which the first becomes the default one. Where there is none at all,
    the one that comes with Atypia is served. Raises BadOption, OutputError, StoreFailed or ArtefactError
    before anything is served.
    """
    _allow_many_files()
    home = Home(settings.data)
    home.make()
    with ExitStack() as stack:
        stack.enter_context(without_words())
        if settings.database is None:
            stack.enter_context(_alone(home))
        store = Store(settings.database, home)
        stack.callback(store.close)
        try:
            store.migrate()
            warnings = access.check_exposure(settings, store)
            _register(settings, home, store, files)
            warnings += _demand_trust(settings, home, store)
            _put_in_order(settings, home, store)
        except SQLAlchemyError as error:
            raise store.failure(error) from error
        listening = stack.enter_context(_listening(settings.host, settings.port))
        settings = replace(settings, port=listening.getsockname()[1])
        _run(settings, home, store, listening, warnings, tell)


def _allow_many_files() -> None:
    """Let this process have more connections and files open than is usual, as far as it may."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(MANY_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _run(
    settings: Settings,
    home: Home,
    store: Store,
    listening: socket.socket,
    warnings: tuple[str, ...],
    tell: Callable[[Started], None],
) -> None:
    supervisor = Supervisor(settings, store, home)
    app = create_app(settings, store, home, supervisor.wake)
    running = node.start(settings, store, home, supervisor.wake)

    def started() -> None:
        tell(_started(settings, store, app, supervisor.workers, running.port, warnings))

    config = uvicorn.Config(
        Requests(app, template_of),
        settings.host,
        settings.port,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        **access.server_options(settings),
    )
    ending = Ending({"node": running.stop, "workers": supervisor.stop}, supervisor.kill)

    def let_go() -> None:
        ending.promise()
        app.state.serving.hub.stop()

    server = _Server(config, started, let_go, ending.begin)
    supervisor.start()
    try:
        with _signals_at_their_end():
            server.run(sockets=[listening])
    finally:
        ending.wait()


class _Server(uvicorn.Server):
    """Tells when it has started, and lets pages that listen go when it is to end."""

    def __init__(
        self,
        config: uvicorn.Config,
        started: Callable[[], None],
        let_go: Callable[[], None],
        end: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._told, self._let_go, self._end = started, let_go, end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell."""
        await super().startup(sockets)
        if self.started:
            self._told()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End, and have the rest end meanwhile."""
        self._end()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End by a signal; a second one does not wait."""
        self._let_go()
        super().handle_exit(sig, frame)


@contextmanager
def _signals_at_their_end() -> Iterator[None]:
    """Let the signals that uvicorn gives back when it has ended do nothing, so that the rest ends as well."""

    def nothing(_number: int, _frame: FrameType | None) -> None:
        return

    before = {number: signal.signal(number, nothing) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Hold the data folder for this server; raise BadOption where another has it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(held(home.path))
        except OutputError as error:
            raise BadOption(
                f"--data {home.path}: expected a folder that no other server uses, received one in use. Stop "
                "that server, name another folder, or let several share a PostgreSQL with --database."
            ) from error
        yield


def _put_in_order(settings: Settings, home: Home, store: Store) -> None:
    """Take up what an earlier server left; where no other can be at work, all of it and at once."""
    alone = settings.database is None
    if alone:
        with store.write() as session:
            queue.abandoned(session)
    end_and_forget(settings, store)
    home.set_aside(settings.limits.reserve_bytes)
    forget_old(settings, store, home)
    clear_away(settings, store, home, 0.0 if alone else OLD_SECONDS)


def _register(settings: Settings, home: Home, store: Store, files: Sequence[Path]) -> None:
    key = trust.key_of(settings)
    with store.session() as session:
        row = screeners.default_of(session)
        ours = row is None or row.sha256 == hash_of(pretrained_path(SHIPPED))
    if not files and ours and key is not None:
        raise BadOption(
            "--require-signature: expected the FILE of a Screener that this key has signed, received none; "
            "the Screener that comes with Atypia is not."
        )
    if not files and ours:  # also where it is known: its file may be gone, or damaged
        files = [pretrained_path(SHIPPED)]
    for number, file in enumerate(files):
        _register_one(home, store, file, key, default=True if number == 0 else None)


def _register_one(
    home: Home, store: Store, file: Path, key: PublicKey | None, *, default: bool | None
) -> None:
    if not file.is_file():
        raise BadOption(f"{file}: expected the file of a Screener that 'atypia fit' saved, received no file.")
    if key is not None:
        demand_signature(file, key)
    sha256 = hash_of(file)
    with store.session() as session:
        known = session.scalars(select(Screener).where(Screener.sha256 == sha256)).first()
        told = None if known is None else _as_told(known)
    told = told or screeners.describe(file)
    if screeners.keep(home, file) != sha256:
        raise BadOption(f"{file}: expected a file that stays as it is; it changed meanwhile. Start again.")
    if signature_path(file).is_file():
        trust.keep_signature(home, sha256, signature_path(file))
    with store.write() as session:
        size = file.stat().st_size
        screeners.register(session, sha256, told, name=file.stem, size=size, default=default)


def _demand_trust(settings: Settings, home: Home, store: Store) -> tuple[str, ...]:
    """Refuse to start with a default Screener that is not signed as is demanded; warn of others."""
    key = trust.key_of(settings)
    if key is None:
        return ()
    _log.info("signatures are demanded", key=key.number)
    with store.session() as session:
        rows = session.scalars(select(Screener).where(~Screener.retired)).all()
    unsigned = [row for row in rows if not trust.is_trusted(settings, home, row.sha256)]
    if any(row.default for row in unsigned):
        raise BadSignature(
            f"--require-signature: expected a default Screener that the key {key.number} has signed; that of "
            f"{home.path} is not. Name a FILE with its signature beside it."
        )
    told = f"{len(unsigned)} of its Screeners are not signed by the key {key.number}: they judge nothing."
    return (told,) if unsigned else ()


def _as_told(row: Screener) -> dict[str, Any]:
    return {
        "detector": row.detector,
        "version": row.version,
        "rule": row.rule,
        "parameter": row.parameter,
        "value": row.threshold,
        "guarantee": row.guarantee,
        "details": row.details,
    }


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen at an address; raise BadOption where that cannot be."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise BadOption(f"--host {host}: expected an address of this machine, received: {error}.") from error
    with listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
            listening.listen(2048)
        except OSError as error:
            raise BadOption(
                f"--host {host} --port {port}: cannot be listened at ({error.strerror or error}). Another "
                "server may have it: name another --port."
            ) from error
        yield listening


def _started(
    settings: Settings,
    store: Store,
    app: FastAPI,
    workers: int,
    dicom_port: int | None,
    warnings: tuple[str, ...],
) -> Started:
    with store.session() as session:
        row = screeners.default_of(session)
        name, sha256 = ("none", "") if row is None else (row.name, row.sha256)
    first, *others = addresses("https" if settings.access.tls else "http", settings.host, settings.port)
    public = settings.access.public_url
    return Started(
        address=public or first,
        others=() if public else tuple(others),
        screener=name,
        shipped=sha256 == hash_of(pretrained_path(SHIPPED)),
        workers=workers,
        dicom_port=dicom_port,
        open_to_all=not access.is_required(app),
        data=settings.data,
        warnings=warnings,
        key=None if (key := trust.key_of(settings)) is None else key.number,
    )
