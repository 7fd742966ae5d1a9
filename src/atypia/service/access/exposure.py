"""What must be so before a server is reachable, and how uvicorn is told."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from atypia.errors import BadOption
from atypia.service.access import tokens
from atypia.service.access.hosts import is_loopback
from atypia.service.access.patience import PatientLoop, patient
from atypia.service.settings import Settings
from atypia.service.store.database import Store

KEEP_ALIVE = 15


def check_exposure(settings: Settings, store: Store) -> tuple[str, ...]:
    """Refuse to be reachable from other machines without authentication; return what is allowed but unwise.

    Raises BadOption where the server would listen off loopback and nobody would have to say who they are, or
    where certificate and key of TLS cannot be used.
    """
    access = settings.access
    if access.tls_cert is not None and access.tls_key is not None:
        load_tls(access.tls_cert, access.tls_key)
    if is_loopback(settings.host):
        return ()
    with store.session() as session:
        usable = tokens.any_usable(session)
    if not usable and access.oidc is None:
        raise BadOption(
            f"--host {settings.host}: other machines could reach this server, and nobody would have to say "
            "who they are. Make a token first (atypia tokens add NAME --role admin, with the same --data or "
            "--database), or configure a login by OpenID Connect ([access.oidc]); or stay on loopback."
        )
    if not access.tls and not access.trusted_proxies:
        return (
            "Without TLS, tokens and scans can be read on their way: give --tls-cert and --tls-key, or put a "
            "proxy that speaks TLS in front and name it with --trusted-proxy.",
        )
    return ()


def load_tls(cert: Path, key: Path) -> None:
    """Raise BadOption unless a certificate and its key can be used together."""
    for option, path in (("--tls-cert", cert), ("--tls-key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise BadOption(f"{option} {path}: expected a PEM file, received: {error.strerror}.") from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or "no certificate or key in PEM, or one with a password"
        raise BadOption(
            f"--tls-cert {cert} and --tls-key {key}: expected a certificate in PEM and the key that belongs "
            f"to it, without a password; received: {str(reason).replace('_', ' ').lower()}."
        ) from error


def server_options(settings: Settings) -> dict[str, Any]:
    """Return what uvicorn.Config is given besides app, host, port and logs."""
    access = settings.access
    options: dict[str, Any] = {
        "http": patient(access.header_seconds),
        "loop": f"{PatientLoop.__module__}:{PatientLoop.__qualname__}",
        "h11_max_incomplete_event_size": access.header_bytes,
        "ws": "none",
        "proxy_headers": False,  # the app believes trusted proxies itself
        "server_header": False,
        "timeout_keep_alive": KEEP_ALIVE,
    }
    if access.tls_cert is not None and access.tls_key is not None:
        options |= {"ssl_certfile": str(access.tls_cert), "ssl_keyfile": str(access.tls_key)}
    return options
