"""pynetdicom's server within bounds: no sender takes more memory, threads or time than it may.

pynetdicom 3.0 reads a PDU as long as its head says, waits for the rest of it without end, completes the TLS
handshake in the thread that accepts connections, and ends the thread of an association by an exception where
a message is malformed. Each is put right here.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Any

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dsutils import create_file_meta, encode_file_meta
from pynetdicom.fsm import StateMachine
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer
from structlog import get_logger

from atypia.service.node.counters import ASSOCIATIONS, REFUSED
from atypia.service.node.settings import KIB, NodeSettings
from atypia.service.node.spool import Incoming, Spool

CONNECTIONS_PER_ASSOCIATION = 2
"""Connections beyond so many are closed at once; associations beyond theirs are told that we are busy."""
_REQUEST = 256 * KIB  # an association request names all its presentation contexts at once
_HEADS = 64
_COMMAND = 64 * KIB
_WAITING = 16
_log = get_logger(__name__)


class BoundedSocket(AssociationSocket):
    """A socket that reads no PDU longer than allowed, and waits for none longer than allowed."""

    longest = _REQUEST
    seconds = 30.0

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes, fewer only where the connection ends; raise OSError where a bound is passed."""
        if nr_bytes > self.longest:
            REFUSED.labels("long PDU").inc()
            raise OSError("a PDU that is longer than it may be")
        assert self.socket is not None
        buffer, got, until = bytearray(nr_bytes), 0, time.monotonic() + self.seconds
        with memoryview(buffer) as view:
            while got < nr_bytes:
                left = until - time.monotonic()
                if left <= 0:
                    REFUSED.labels("slow").inc()
                    raise TimeoutError("a PDU that takes longer than it may")
                self.socket.settimeout(left)
                count = self.socket.recv_into(view[got:])
                if count == 0:
                    break
                got += count
        self.socket.settimeout(self.seconds)
        return buffer[:got]


class BoundedMessages(DIMSEServiceProvider):
    """Takes messages apart; data sets of C-STORE go to the disk, what else is long ends the association."""

    def __init__(self, assoc: Association, spool: Spool) -> None:
        super().__init__(assoc)
        self._spool = spool

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take a part of a message; one that is malformed aborts its association."""
        try:
            for value in primitive.presentation_data_value_list:
                one = P_DATA()
                one.presentation_data_value_list.append(value)
                super().receive_primitive(one)
                self._check()
        except Exception as error:  # what is sent may be anything, and draws almost any exception
            REFUSED.labels("malformed").inc()
            _log.info("node.malformed", kind=type(error).__name__)
            self.dul.event_queue.put("Evt19")

    def _check(self) -> None:
        message = self.message
        if message is None:
            if self.msg_queue.qsize() > _WAITING:
                raise ValueError("more messages than are answered")
            return
        if isinstance(message, C_STORE_RQ):
            if not isinstance(message.data_set, Incoming):
                message.data_set = self._open(message)
        elif (
            message.encoded_command_set.tell() + (message.data_set or message.encoded_command_set).tell()
            > _COMMAND
        ):
            raise ValueError("a message that is longer than it may be")

    def _open(self, message: C_STORE_RQ) -> Incoming:
        command = message.command_set
        (context,) = [one for one in self.assoc.accepted_contexts if one.context_id == message.context_id]
        meta = create_file_meta(
            sop_class_uid=command.AffectedSOPClassUID,
            sop_instance_uid=command.AffectedSOPInstanceUID,
            transfer_syntax=context.transfer_syntax[0],
        )
        incoming = self._spool.open()
        incoming.write(bytes(128) + b"DICM" + encode_file_meta(meta))
        return incoming

    def discard(self) -> None:
        """Remove what came of messages that nobody answers any more."""
        waiting = [request for _, request in list(self.msg_queue.queue)]
        for left in (
            getattr(self.message, "data_set", None),
            *(getattr(one, "DataSet", None) for one in waiting),
        ):
            if isinstance(left, Incoming):
                left.discard()


class BoundedMachine(StateMachine):
    """Ends the association quietly where its state does not know an event, as an answer after its end."""

    def do_action(self, event: str) -> None:
        """Act on an event."""
        try:
            super().do_action(event)
        except Exception as error:  # it would end the thread with a traceback, which may quote what was sent
            _log.info("node.out_of_turn", kind=type(error).__name__)
            self.dul.kill_dul()


class BoundedHandler(RequestHandler):
    """Gives each association its bounds, stays until it ends, and cleans up behind it."""

    server: BoundedServer

    def handle(self) -> None:
        """Serve one association."""
        association = self._create_association()
        messages = BoundedMessages(association, self.server.spool)
        association.dimse = messages
        try:
            evt.trigger(association, evt.EVT_CONN_OPEN, {"address": self.client_address})
            association.start()
            association.join()
            association.dul.join()
        finally:
            messages.discard()

    def _create_association(self) -> Association:
        association = super()._create_association()
        bounded = BoundedSocket(association, client_socket=self.request)
        association.dul.event_queue.get_nowait()  # both sockets announced the one connection
        bounded.seconds = self.server.settings.timeout
        bounded.longest = max(_REQUEST, self.server.settings.pdu_bytes + _HEADS)
        association.dul.state_machine = BoundedMachine(association.dul)
        association.dul.socket = bounded  # set_socket refuses a second
        return association


class BoundedServer(ThreadedAssociationServer):
    """A server that lets in known addresses, and so many connections at once."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *given: Any, spool: Spool, settings: NodeSettings, **named: Any) -> None:
        self.spool, self.settings = spool, settings
        self._networks = settings.networks
        self._most = CONNECTIONS_PER_ASSOCIATION * settings.associations + 4
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(*given, **{**named, "request_handler": BoundedHandler})

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; its TLS handshake is left to its own thread."""
        assert self.socket is not None
        connection, address = self.socket.accept()
        connection.settimeout(self.settings.timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Tell whether a connection may stay."""
        caller = ipaddress.ip_address(client_address[0].partition("%")[0])
        if self._networks and not any(caller in network for network in self._networks):
            REFUSED.labels("address").inc()
            return False
        with self._lock:
            if len(self._open) >= self._most:
                REFUSED.labels("too many").inc()
                return False
            self._open.add(request)
            ASSOCIATIONS.inc()
        return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection in its own thread until it ends."""
        secured = request
        try:
            if self.ssl_context is not None:
                secured = self.ssl_context.wrap_socket(request, server_side=True)
            self.finish_request(secured, client_address)
        except (ssl.SSLError, OSError):
            REFUSED.labels("handshake").inc()
        except Exception as error:  # one connection must not end the server
            _log.error("node.connection_failed", kind=type(error).__name__)
        finally:
            with suppress(OSError):
                self.shutdown_request(secured)
            with self._lock:
                self._open.discard(request)
                ASSOCIATIONS.dec()

    def close_all(self) -> None:
        """End what is still open."""
        with self._lock:
            left = list(self._open)
        for connection in left:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
