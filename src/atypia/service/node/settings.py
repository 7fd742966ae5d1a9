"""What can be set of the DICOM node and its peers: the tables `[node]` and `[[peers]]` of the settings."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from atypia.errors import BadOption

KIB, MIB, GIB = 2**10, 2**20, 2**30
DicomResult = Literal["seg", "sr", "sc"]
DICOM_RESULTS: tuple[DicomResult, ...] = ("seg", "sr", "sc")
_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")
_PEER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}")


@dataclass(frozen=True)
class NodeSettings:
    """How studies come in by C-STORE, when one is complete, and how results are sent back."""

    port: int | None = None
    """Where the node listens (the usual ports are 104 and 11112); 0 takes a free one; None: no node."""
    host: str = "127.0.0.1"
    ae_title: str = "ATYPIA"
    callers: tuple[str, ...] = ()
    """Application entities that may call, by their titles; empty: any."""
    addresses: tuple[str, ...] = ()
    """Networks that may call, as `10.1.0.0/16` or `10.1.2.3`; empty: any."""
    associations: int = 10
    """At once; more are refused until one ends."""
    pdu_bytes: int = 64 * KIB
    """The longest PDU that a sender may send us; longer ones end the association."""
    timeout: float = 30.0
    """Seconds that a sender may take for one PDU, or be silent, before the association ends."""
    instance_bytes: int = 2 * GIB
    study_instances: int = 20_000
    free_bytes: int = 256 * MIB
    """What received instances leave free on the disk of the data folder."""
    quiet_seconds: float = 20.0
    """A study is complete when nothing of it came for so long,"""
    complete_at: int | None = None
    """or when it has so many instances."""
    keep_days: float | None = None
    """Instances of a study are deleted so long after the last of it came; findings stay. None: never."""
    results: tuple[DicomResult, ...] = DICOM_RESULTS
    """The kinds of DICOM results that are made of a study and sent to the peers."""
    tls_cert: Path | None = None
    """Certificate (PEM) of the node; with it, it speaks TLS only."""
    tls_key: Path | None = None
    tls_ca: Path | None = None
    """Certificates that those of senders must be signed by; None asks for none."""

    def __post_init__(self) -> None:
        """Refuse what makes no sense, or would let anybody in from outside."""
        _check_title("node.ae_title", self.ae_title)
        for title in self.callers:
            _check_title("node.callers", title)
        for name in ("associations", "timeout", "instance_bytes", "study_instances", "quiet_seconds"):
            if not getattr(self, name) > 0:
                raise BadOption(f"node.{name}: expected a number above 0, received {getattr(self, name)!r}.")
        if self.keep_days is not None and not self.keep_days > 0:
            raise BadOption(f"node.keep_days: expected a number above 0, received {self.keep_days!r}.")
        if not 4 * KIB <= self.pdu_bytes <= 16 * MIB:
            raise BadOption(f"node.pdu_bytes: expected from 4096 to 16 MiB, received {self.pdu_bytes!r}.")
        if self.port is not None and not 0 <= self.port <= 65535:
            raise BadOption(f"node.port: expected a number from 0 to 65535, received {self.port!r}.")
        if self.complete_at is not None and self.complete_at < 1:
            raise BadOption(f"node.complete_at: expected a number from 1, received {self.complete_at!r}.")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise BadOption("node.tls_cert, node.tls_key: expected both or neither.")
        if self.tls_ca is not None and self.tls_cert is None:
            raise BadOption("node.tls_ca: expected node.tls_cert and node.tls_key with it.")
        self._check_exposure()

    @property
    def networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """`addresses`, parsed; raises BadOption for one that is none."""
        try:
            return tuple(ipaddress.ip_network(one) for one in self.addresses)
        except ValueError as error:
            raise BadOption(
                f"node.addresses: expected networks as 10.1.0.0/16, received {self.addresses!r}."
            ) from error

    def _check_exposure(self) -> None:
        """DICOM asks for no password: off loopback somebody must have said who may call."""
        known = self.networks or self.callers or self.tls_ca
        if self.port is not None and not known and not _is_loopback(self.host):
            raise BadOption(
                f"node.host: {self.host!r} can be reached by others, and nothing says who may send. Set "
                "node.addresses, node.callers or node.tls_ca, or listen on 127.0.0.1."
            )


@dataclass(frozen=True)
class Peer:
    """Where results are sent to: an archive that takes C-STORE (`dicom`), or STOW-RS (`stow`)."""

    name: str
    kind: Literal["dicom", "stow"] = "dicom"
    host: str = ""
    """Of a `dicom` peer: its name or address,"""
    port: int = 104
    ae_title: str = ""
    """and its application entity."""
    url: str = ""
    """Of a `stow` peer: the root of its DICOMweb services, as `https://archive/dicom-web`."""
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    """Sent as a bearer token, in place of user and password."""
    tls: bool = False
    """Whether a `dicom` peer speaks TLS; a `stow` peer does where its url begins with https."""
    tls_ca: Path | None = None
    """Certificates that the peer's must be signed by; None: those that the system trusts."""
    timeout: float = 30.0
    tries: int = 10
    """Before a result is dead; it can be sent again by hand."""
    first_wait: float = 5.0
    """Seconds before the second try; each later one waits twice as long, at most `longest_wait`."""
    longest_wait: float = 3600.0

    def __post_init__(self) -> None:
        """Refuse a peer that cannot be reached as it is written."""
        if not _PEER_NAME.fullmatch(self.name):
            raise BadOption(f"peers: expected a name of letters, digits, '.', '_', '-', got {self.name!r}.")
        if self.kind == "dicom":
            _check_title(f"peers: {self.name}: ae_title", self.ae_title)
            if not self.host or not 0 < self.port <= 65535:
                raise BadOption(f"peers: {self.name}: expected a host and a port from 1 to 65535.")
        elif not _is_web_address(self.url):
            raise BadOption(f"peers: {self.name}: expected a url as https://archive/dicom-web.")
        for name in ("timeout", "tries", "first_wait", "longest_wait"):
            if not getattr(self, name) > 0:
                raise BadOption(f"peers: {self.name}: {name}: expected a number above 0.")


def _check_title(what: str, title: str) -> None:
    """Check the title of an application entity (PS3.5 6.2, VR AE)."""
    if not _TITLE.fullmatch(title) or not title.strip():
        raise BadOption(f"{what}: expected 1 to 16 letters, digits or signs, no backslash; got {title!r}.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain
