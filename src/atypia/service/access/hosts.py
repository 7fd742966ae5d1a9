"""Hosts and origins as they stand in headers: parsed strictly, so that no two readers see two things."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

_HOST = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?)(?::(?P<port>[0-9]{1,5}))?"
)
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<rest>[^/?#\\@\s]+)(?P<path>/[^?#\\\s]*)?")
DEFAULT_PORT = {"http": 80, "https": 443}
LONGEST = 255 + len(":65535")


@dataclass(frozen=True)
class Origin:
    """Scheme, host in small letters (IPv6 in brackets), and port: what a browser calls one place."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        """Write it as browsers do: without the port that goes without saying."""
        port = "" if self.port == DEFAULT_PORT[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"


def parse_host(text: str) -> tuple[str, int | None] | None:
    """Return host (small letters, IPv6 in brackets in its shortest form) and port of a Host header, or None.

    >>> parse_host("Example.org:8765"), parse_host("[::1]"), parse_host("a@b"), parse_host("a b")
    (('example.org', 8765), ('[::1]', None), None, None)
    """
    match = _HOST.fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        return None
    host, port = match["host"].lower().removesuffix("."), match["port"]
    if ".." in host or (port is not None and not 0 < int(port) < 65536):
        return None
    if host.startswith("["):
        try:
            host = f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
        except ValueError:
            return None
    return host, None if port is None else int(port)


def origin_of(text: str) -> Origin | None:
    """Return the origin of an address or of an Origin header; None of anything else, as of `null`.

    >>> str(origin_of("https://Example.org:443/path")), origin_of("null"), origin_of("https://a@b")
    ('https://example.org', None, None)
    """
    match = _ORIGIN.fullmatch(text)
    parsed = parse_host(match["rest"]) if match else None
    if match is None or parsed is None:
        return None
    host, port = parsed
    return Origin(match["scheme"], host, DEFAULT_PORT[match["scheme"]] if port is None else port)


def is_loopback(host: str) -> bool:
    """Tell whether a host, by name or by address, can only mean this very machine.

    >>> is_loopback("localhost"), is_loopback("127.0.0.5"), is_loopback("[::1]"), is_loopback("localhost.org")
    (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_allowed(host: str, allowed: Iterable[str]) -> bool:
    """Tell whether a parsed host is one of the allowed names; `*.example.org` allows all below it."""
    return any(
        host.endswith(name[1:]) and len(host) > len(name) - 1 if name.startswith("*.") else host == name
        for name in allowed
    )
