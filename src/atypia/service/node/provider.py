"""The provider of C-STORE and C-ECHO: takes instances, and acknowledges those that are safely recorded."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, evt
from structlog import get_logger

from atypia.errors import BadOption
from atypia.service.home import Home
from atypia.service.node.bounds import BoundedServer
from atypia.service.node.counters import REFUSED
from atypia.service.node.instance import EXPLICIT, IMPLICIT, SYNTAXES, examine
from atypia.service.node.outcome import Outcome, Refusal
from atypia.service.node.quiet import silence_libraries
from atypia.service.node.recording import Recorder
from atypia.service.node.settings import NodeSettings
from atypia.service.node.spool import Incoming, Spool

_NEGOTIATION_SECONDS = 10.0
_COMMENT = 64
_VERIFICATION = "1.2.840.10008.1.1"
_log = get_logger(__name__)


class Provider:
    """Listens for senders from its making until `stop`."""

    def __init__(self, settings: NodeSettings, home: Home, recorder: Recorder) -> None:
        self._settings, self._recorder = settings, recorder
        self._entity = _entity(settings)
        assert settings.port is not None
        try:
            made = self._entity.make_server(
                (settings.host, settings.port),
                ssl_context=_tls(settings),
                evt_handlers=[
                    (evt.EVT_C_STORE, self._store),
                    (evt.EVT_C_ECHO, _echo),
                    (evt.EVT_REJECTED, _rejected),
                ],
                server_class=BoundedServer,
                spool=Spool(home, settings),
                settings=settings,
            )
        except OSError as error:
            raise BadOption(
                f"node.host, node.port: {settings.host}:{settings.port} cannot be listened on "
                f"({error.strerror or type(error).__name__}). Choose another port, or end what uses it."
            ) from error
        assert isinstance(made, BoundedServer)
        self._server = made
        self._entity._servers.append(made)
        self._thread = threading.Thread(target=self._server.serve_forever, name="node-provider", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Take no more, and end the associations that are open."""
        self._server.shutdown()
        for association in self._server.active_associations:
            association.abort()
        self._server.close_all()
        self._thread.join()

    def _store(self, event: Any) -> Dataset:
        """Answer a C-STORE request: see Outcome."""
        incoming = event.request.DataSet
        if not isinstance(incoming, Incoming):
            return _answer(Outcome.FAILED)
        try:
            outcome = self._take(incoming, event)
        except Refusal as refusal:
            outcome = refusal.outcome
        except Exception as error:  # whatever went wrong, the sender keeps its instance
            _log.error("node.store_failed", kind=type(error).__name__)
            outcome = Outcome.FAILED
        finally:
            incoming.discard()
        return _answer(outcome)

    def _take(self, incoming: Incoming, event: Any) -> Outcome:
        instance = examine(incoming.finish())
        request = event.request
        if (instance.uid, instance.kind) != (request.AffectedSOPInstanceUID, request.AffectedSOPClassUID):
            return Outcome.MISMATCH
        source = str(event.assoc.requestor.ae_title).strip()
        (outcome,) = self._recorder.record([instance], source, "c-store")
        return outcome


def _entity(settings: NodeSettings) -> AE:
    silence_libraries()
    entity = AE(settings.ae_title)
    entity.require_calling_aet = list(settings.callers)
    entity.require_called_aet = True
    entity.maximum_associations = settings.associations
    entity.maximum_pdu_size = settings.pdu_bytes
    entity.acse_timeout = min(_NEGOTIATION_SECONDS, settings.timeout)
    entity.dimse_timeout = entity.network_timeout = settings.timeout
    entity.add_supported_context(_VERIFICATION, [IMPLICIT, EXPLICIT])
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(context.abstract_syntax, list(SYNTAXES))
    return entity


def _echo(_event: Any) -> int:
    return 0x0000


def _rejected(_event: Any) -> None:
    REFUSED.labels("association").inc()


def _answer(outcome: Outcome) -> Dataset:
    answer = Dataset()
    answer.Status = outcome.status
    if outcome.status:
        answer.ErrorComment = outcome.words[:_COMMENT]
    return answer


def _tls(settings: NodeSettings) -> ssl.SSLContext | None:
    if settings.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
        if settings.tls_ca is not None:
            context.load_verify_locations(settings.tls_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        files = [str(one) for one in (settings.tls_cert, settings.tls_key, settings.tls_ca) if one]
        raise BadOption(
            f"node.tls_*: expected a certificate and its key in PEM; {', '.join(map(_name, files))} cannot "
            f"be used ({type(error).__name__}). Check that both are readable and belong together."
        ) from error
    return context


def _name(file: str) -> str:
    return Path(file).name
