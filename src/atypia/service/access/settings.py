"""What can be set of access: the tables `[access]` and `[access.oidc]` of the configuration."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from atypia.errors import BadOption
from atypia.service.access.hosts import is_loopback, origin_of, parse_host

ROLES = ("viewer", "reader", "admin")
KIB, MIB = 1024, 1024**2


@dataclass(frozen=True)
class Oidc:
    """An identity provider that logins are taken from (OpenID Connect Core 1.0, with PKCE)."""

    issuer: str
    """Its address, as in the claim `iss`; https, unless it is on loopback."""
    client_id: str
    client_secret: str = field(default="", repr=False)
    """Empty for a public client, which PKCE alone protects."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """From a value of the claim to a role; who has none of these values may not come in."""
    role_claim: str = "roles"
    """A claim of the ID token; dots lead into nested ones, as in `realm_access.roles`."""
    name_claim: str = "preferred_username"
    scopes: tuple[str, ...] = ("openid", "profile")
    timeout: float = 10.0
    """Seconds until a request to the provider is given up."""

    def __post_init__(self) -> None:
        """Refuse what would be unsafe or cannot work."""
        origin = origin_of(self.issuer)
        if origin is None or (origin.scheme != "https" and not is_loopback(origin.host)):
            raise BadOption(
                "access.oidc.issuer: expected an https:// address, or an http:// one on loopback; received "
                f"{self.issuer!r}."
            )
        if not self.client_id:
            raise BadOption(
                "access.oidc.client_id: expected the name of this client at the provider, got none."
            )
        if not self.roles or not set(self.roles.values()) <= set(ROLES):
            raise BadOption(
                "access.oidc.roles: expected a table from values of the claim to roles out of "
                f"{', '.join(ROLES)}; received {dict(self.roles)!r}."
            )
        if "openid" not in self.scopes:
            raise BadOption("access.oidc.scopes: expected 'openid' among them.")


@dataclass(frozen=True)
class AccessSettings:
    """Everything of access that can be set; the defaults are safe."""

    allowed_hosts: tuple[str, ...] = ()
    """Names that the Host header may carry, besides loopback, `host` and that of public_url."""
    public_url: str = ""
    """How browsers reach the server, as `https://atypia.example.org`; needed for OIDC behind a proxy."""
    cors_origins: tuple[str, ...] = ()
    """Other origins whose pages may call the API with a token."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    oidc: Oidc | None = None

    idle_minutes: float = 60.0
    """A login ends when it was not used for so long ..."""
    login_hours: float = 12.0
    """... and when it is so old."""
    audit_days: int = 0
    """Rows of the audit log that are older are forgotten; 0: none is."""

    requests_per_minute: float = 12000.0
    """Of one user, or of one address where nobody is logged in; `local` may ask as often as it likes."""
    uploads_per_minute: float = 6000.0
    failures_per_minute: float = 10.0
    """Of one address: wrong tokens that are answered at all."""
    concurrent_uploads: int = 64
    """Of one user; all together at most four times as many."""
    upload_wait_seconds: float = 20.0
    """So long one more waits for its turn before it is sent away with 429; 0: not at all."""
    concurrent_streams: int = 32
    """Of events, of one user; all together at most eight times as many."""
    header_bytes: int = 32 * KIB
    json_bytes: int = MIB
    """A body that is no upload is not longer."""
    header_seconds: float = 10.0
    """Until all headers of a request must have come."""
    body_seconds: float = 30.0
    """Until more of a body must have come."""
    body_bytes_per_second: float = 1024.0
    """A body that comes slower for a minute on average is given up."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense, with the name of the setting."""
        for name in self.allowed_hosts:
            if parse_host(name.removeprefix("*.")) is None:
                raise BadOption(f"access.allowed_hosts: expected names of hosts, received {name!r}.")
        for text in (*self.cors_origins, *((self.public_url,) if self.public_url else ())):
            if origin_of(text) is None or (
                text in self.cors_origins and text.rstrip("/") != str(origin_of(text))
            ):
                raise BadOption(f"access: expected an origin like https://example.org, received {text!r}.")
        for text in self.trusted_proxies:
            _network(text)
        if (self.tls_cert is None) != (self.tls_key is None):
            raise BadOption("TLS needs both a certificate and its key: give --tls-cert and --tls-key.")
        self._check_numbers()

    def _check_numbers(self) -> None:
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise BadOption(
                    f"access.{name}: expected a number above 0, received {getattr(self, name)!r}."
                )
        if not 0 <= self.upload_wait_seconds <= 600:
            raise BadOption(
                "access.upload_wait_seconds: expected a number from 0 to 600, received "
                f"{self.upload_wait_seconds!r}."
            )
        if self.audit_days < 0:
            raise BadOption(f"access.audit_days: expected a number of days, received {self.audit_days!r}.")

    @property
    def tls(self) -> bool:
        """Whether this server itself speaks TLS."""
        return self.tls_cert is not None


_POSITIVE = (
    "idle_minutes",
    "login_hours",
    "requests_per_minute",
    "uploads_per_minute",
    "failures_per_minute",
    "concurrent_uploads",
    "concurrent_streams",
    "header_bytes",
    "json_bytes",
    "header_seconds",
    "body_seconds",
    "body_bytes_per_second",
)


def _network(text: str) -> None:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise BadOption(
            f"access.trusted_proxies: expected addresses or networks like 10.0.0.0/8, received {text!r}."
        ) from error
