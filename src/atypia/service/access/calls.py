"""A call as it came, read once and strictly, and what is refused before anybody asks who sent it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import Scope

from atypia.service.access.hosts import DEFAULT_PORT, Origin, origin_of, parse_host
from atypia.service.access.tokens import holds_token

SAFE = ("GET", "HEAD", "OPTIONS")
ONCE = ("host", "authorization", "content-length", "content-type", "origin", "sec-fetch-site", "x-csrf-token")
"""Headers that mean two things where they come twice."""
GUARDED = ("/api", "/dicomweb", "/metrics")
"""What lies below these is closed to whom nobody knows, whatever its route says."""
OPEN = frozenset(
    {
        "/api/v1/about",
        "/api/v1/session",
        "/api/v1/openapi.json",
        "/api/v1/oidc/login",
        "/api/v1/oidc/callback",
    }
)
"""Below them, and open all the same."""
PROBES = frozenset({"/healthz", "/readyz"})
CALLBACK = "/api/v1/oidc/callback"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
_SECRET_PARAMETER = re.compile(r"(?:^|[&;])(?:access_|id_)?token=", re.IGNORECASE)
_BAD_PATH = re.compile(r"[\x00-\x1f\x7f\\]|(?:^|/)\.{1,2}(?:/|$)")


@dataclass(frozen=True)
class Refusal:
    """Why a call is not answered as asked: as problem details (RFC 9457)."""

    status: int
    title: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Call:
    """What access wants to know of an ASGI scope, after trusted proxies had their say."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.scheme: str = scope.get("scheme", "http")
        self.headers = Headers(scope=scope)

    @property
    def safe(self) -> bool:
        """Whether the method promises to change nothing (RFC 9110, section 9.2.1)."""
        return self.method in SAFE

    @cached_property
    def is_ahead(self) -> bool:
        """Whether a page fetches something before anybody looks at it."""
        return b"prefetch=1" in self.scope.get("query_string", b"").split(b"&")

    @cached_property
    def guarded(self) -> bool:
        """Whether the path is one that not everybody may know."""
        below = any(self.path == top or self.path.startswith(f"{top}/") for top in GUARDED)
        return below and self.path not in OPEN

    @cached_property
    def knows_users(self) -> bool:
        """Whether it matters who asks."""
        return self.guarded or self.path in OPEN

    @cached_property
    def address(self) -> str:
        """The address that the call came from, or `unknown`."""
        client = self.scope.get("client")
        try:
            return str(ip_address(client[0])) if client else "unknown"
        except ValueError:
            return "unknown"

    @cached_property
    def host(self) -> tuple[str, int | None] | None:
        """Host and port as the client called them."""
        text = self.headers.get("host")
        return None if text is None else parse_host(text)

    @cached_property
    def own_origin(self) -> Origin | None:
        """The origin that our page has for this client."""
        if self.host is None or self.scheme not in DEFAULT_PORT:
            return None
        host, port = self.host
        return Origin(self.scheme, host, DEFAULT_PORT[self.scheme] if port is None else port)

    @property
    def forwarded(self) -> bool:
        """Whether a proxy passed it on."""
        return any(name in self.headers for name in _FORWARDED)

    def cookie(self, name: str) -> str | None:
        """Return the value of a cookie, or None where there is none, or more than one."""
        pairs = (
            part.strip().partition("=") for line in self.headers.getlist("cookie") for part in line.split(";")
        )
        found = [value for key, _, value in pairs if key == name]
        return found[0] if len(found) == 1 and re.fullmatch(r"[A-Za-z0-9_-]{1,200}", found[0]) else None


def misshapen(call: Call) -> Refusal | None:
    """Refuse what two readers could read in two ways, and secrets where logs keep them."""
    if twice := [name for name in ONCE if len(call.headers.getlist(name)) > 1]:
        return Refusal(400, "A header came twice", f"Expected '{twice[0]}' at most once.")
    if "transfer-encoding" in call.headers and "content-length" in call.headers:
        return Refusal(400, "Two lengths", "Expected Content-Length or Transfer-Encoding, not both.")
    if _BAD_PATH.search(call.path):
        return Refusal(
            400, "A path that climbs", "Expected a plain path, without '..', '\\' and control characters."
        )
    query = call.scope.get("query_string", b"").decode("latin-1")
    if not query.isascii():
        return Refusal(400, "Not an address", "Expected an address of ASCII alone, others as %XX.")
    if _SECRET_PARAMETER.search(query) or holds_token(query) or holds_token(call.path):
        return Refusal(
            400,
            "A token in an address",
            "Addresses are kept in logs and histories. Send the token in the header "
            "'Authorization: Bearer ...', and revoke this one.",
        )
    return None


def is_foreign(call: Call, own: frozenset[Origin]) -> bool:
    """Tell whether a page of another origin had a browser send this (Origin, and Fetch Metadata headers)."""
    origin = call.headers.get("origin")
    if origin is not None:
        parsed = origin_of(origin)
        if parsed is None or (parsed != call.own_origin and parsed not in own):
            return True
    return call.headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
