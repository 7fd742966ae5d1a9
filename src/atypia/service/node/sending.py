"""A thread for each peer that sends what is due, and tries again what failed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from random import Random
from uuid import uuid4

from sqlalchemy import and_, func, or_, select
from structlog import get_logger

from atypia.service.home import Home
from atypia.service.node import deliveries
from atypia.service.node.counters import DELIVERIES
from atypia.service.node.couriers import Send, Undelivered, connected
from atypia.service.node.settings import Peer
from atypia.service.store.clock import moment
from atypia.service.store.database import Store
from atypia.service.store.models import Delivery

AT_ONCE = 16
_LEASE_BEYOND = 30.0
_log = get_logger(__name__)


class Sender:
    """Sends to one peer. A peer that is down holds nobody up but itself."""

    def __init__(self, peer: Peer, store: Store, home: Home, title: str) -> None:
        self.peer = peer
        self._store, self._home, self._title = store, home, title
        self._owner = f"sender-{uuid4().hex}"
        self._random = Random()
        self._lease = 4 * peer.timeout + _LEASE_BEYOND
        self._stopping = threading.Event()

    def run(self, every: float = 1.0) -> None:
        """Send what is due, again and again until `stop`."""
        while not self._stopping.is_set():
            try:
                busy = self.send_due()
            except Exception as error:  # as a database that is away for a while
                _log.error("deliveries.failed", peer=self.peer.name, kind=type(error).__name__)
                busy = 0
            if not busy:
                self._stopping.wait(every)

    def stop(self) -> None:
        """Send no further file."""
        self._stopping.set()

    def send_due(self) -> int:
        """Send what is due now, up to AT_ONCE files over one connection; return how many were tried."""
        if not self._any_due():
            return 0
        with self._store.write() as session:
            mine = deliveries.claim(session, self.peer.name, self._owner, self._lease, AT_ONCE)
        if not mine:
            return 0
        try:
            with connected(self.peer, [self._file(one) for one in mine], self._title) as send:
                self._send_all(mine, send)
        except Undelivered as error:  # the peer was not reached at all: nothing was sent yet
            self._note([one for one in mine if one.state == "sending"], str(error))
        return len(mine)

    def _any_due(self) -> bool:
        with self._store.session() as session:
            clock = moment(session)
            waiting = and_(Delivery.state == "pending", Delivery.due <= clock)
            abandoned = and_(Delivery.state == "sending", Delivery.lease_until < clock)
            asked = select(func.count()).where(Delivery.peer == self.peer.name, or_(waiting, abandoned))
            return bool(session.scalar(asked))

    def _file(self, delivery: Delivery) -> Path:
        """Return where a result lies; a place where nothing is for one outside the folder of its finding."""
        folder = self._home.findings(delivery.finding or "none")
        file = folder / delivery.file
        inside = ".." not in Path(delivery.file).parts and not Path(delivery.file).is_absolute()
        return file if inside else folder / "none"

    def _send_all(self, mine: Sequence[Delivery], send: Send) -> None:
        left = [one.id for one in mine]
        for one in mine:
            if self._stopping.is_set():
                self._note(
                    [each for each in mine if each.id in left], "The server was stopped.", give_back=True
                )
                return
            with self._store.write() as session:
                held = deliveries.renew(session, self._owner, left, self._lease)
            left.remove(one.id)
            if one.id not in held:
                continue  # it was deleted, or another has it
            self._send_one(one, send)

    def _send_one(self, one: Delivery, send: Send) -> None:
        try:
            send(self._file(one))
        except Undelivered as error:
            self._note([one], str(error))
            return
        one.state = "sent"
        DELIVERIES.labels("sent").inc()
        with self._store.write() as session:
            deliveries.sent(session, self._owner, one.id)

    def _note(self, those: Sequence[Delivery], error: str, *, give_back: bool = False) -> None:
        with self._store.write() as session:
            for one in those:
                if give_back:
                    deliveries.give_back(session, self._owner, one.id)
                    continue
                one.state = "pending"
                deliveries.failed(session, self._owner, one.id, error, self.peer, self._random)
        if not give_back and those:
            DELIVERIES.labels("failed").inc(len(those))
            _log.warning("deliveries.not_taken", peer=self.peer.name, count=len(those), why=error)
