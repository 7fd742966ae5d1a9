"""All that runs of the node, in threads of the server's process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

from structlog import get_logger

from atypia.service.home import Home
from atypia.service.node.deliveries import bury
from atypia.service.node.provider import Provider
from atypia.service.node.recording import Recorder
from atypia.service.node.sending import Sender
from atypia.service.node.studies import complete_due, forget_old, supersede
from atypia.service.settings import Settings
from atypia.service.store.database import Store

_JOIN_SECONDS = 5.0
_TIDY_SECONDS = 10.0
_log = get_logger(__name__)


class Node:
    """The provider, where a port is set; what watches for complete studies; and a sender for each peer."""

    def __init__(self, settings: Settings, store: Store, home: Home, wake: Callable[[], None]) -> None:
        self._settings, self._store, self._home, self._wake = settings, store, home, wake
        self._stopping = threading.Event()
        self._recorder = Recorder(store, home, settings.node)
        self._provider: Provider | None = None
        if settings.node.port is not None:
            try:
                self._provider = Provider(settings.node, home, self._recorder)
            except BaseException:
                self._recorder.stop()
                raise
        self._senders = [Sender(peer, store, home, settings.node.ae_title) for peer in settings.peers]
        self._threads = [threading.Thread(target=self._watch, name="node-studies", daemon=True)]
        self._threads += [
            threading.Thread(target=sender.run, name=f"node-sender-{number}", daemon=True)
            for number, sender in enumerate(self._senders)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def port(self) -> int | None:
        """Where instances are taken by C-STORE; None where they are not."""
        return None if self._provider is None else self._provider.port

    def stop(self) -> None:
        """Take nothing more, and end. What is acknowledged is recorded; what was not sent is sent later."""
        self._stopping.set()
        for sender in self._senders:
            sender.stop()
        if self._provider is not None:
            self._provider.stop()
        self._recorder.stop()
        until = monotonic() + _JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic()))

    def _watch(self) -> None:
        every = min(1.0, self._settings.node.quiet_seconds / 4)
        tidied = monotonic()
        while not self._stopping.wait(every):
            try:
                if complete_due(self._store, self._settings.node):
                    self._wake()
                if monotonic() - tidied > _TIDY_SECONDS:
                    supersede(self._store, self._home)
                    forget_old(self._store, self._home, self._settings.node)
                    with self._store.write() as session:
                        bury(session, {peer.name for peer in self._settings.peers})
                    tidied = monotonic()
            except Exception as error:  # as a database that is away for a while
                _log.error("node.watch_failed", kind=type(error).__name__)
