"""Where a server can be reached: addresses that one can open, of a host that may stand for all of them."""

from __future__ import annotations

import socket
from contextlib import suppress

ANY = {"0.0.0.0": ("127.0.0.1", socket.AF_INET), "::": ("::1", socket.AF_INET6)}
_ELSEWHERE = {socket.AF_INET: ("192.0.2.1", 9), socket.AF_INET6: ("2001:db8::1", 9)}
"""Addresses of nobody (RFC 5737, RFC 3849): to ask by which of ours one would go there, nothing is sent."""


def addresses(scheme: str, host: str, port: int) -> tuple[str, ...]:
    """Return the addresses of a server, that for this machine itself first.

    >>> addresses("https", "::1", 8765)
    ('https://[::1]:8765',)
    """
    if host not in ANY:
        return (_address(scheme, host, port),)
    own, family = ANY[host]
    hosts = [own, socket.gethostname(), *_others(family)]
    return tuple(dict.fromkeys(_address(scheme, one, port) for one in hosts if one))


def _address(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _others(family: socket.AddressFamily) -> list[str]:
    """Return what this machine is called by others: that of its way out, and those of its name."""
    found: list[str] = []
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.connect(_ELSEWHERE[family])
        found.append(str(asking.getsockname()[0]))
    with suppress(OSError):
        named = socket.getaddrinfo(socket.gethostname(), None, family, socket.SOCK_STREAM)
        found += [str(one[4][0]) for one in named]
    return [one for one in found if not one.startswith(("127.", "fe80:")) and one not in ("::1", *ANY)]
