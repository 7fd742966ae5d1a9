"""Carrying files to a peer, by C-STORE or STOW-RS. Nobody else is sent to; no redirect is followed."""

from __future__ import annotations

import json
import ssl
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pydicom
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context

from atypia.reading.quiet import no_warnings
from atypia.service.node.quiet import silence_libraries
from atypia.service.node.settings import Peer

Send = Callable[[Path], None]
_PIECE = 2**18
_LONGEST_ANSWER = 2**20
_MOST_KINDS = 100
_KIND = "The peer takes no objects of this kind, or not of this transfer syntax."
_WARNINGS = {0xB000, 0xB006, 0xB007}


class Undelivered(Exception):
    """A file that a peer did not take, with the reason in words that name nobody."""


def connected(peer: Peer, files: Iterable[Path], title: str) -> AbstractContextManager[Send]:
    """Give what sends a file to a peer; `files` are those that may be sent, `title` is our AE title.

    Both raise Undelivered.
    """
    return _by_store(peer, files, title) if peer.kind == "dicom" else _by_stow(peer)


@contextmanager
def _by_store(peer: Peer, files: Iterable[Path], title: str) -> Iterator[Send]:
    silence_libraries()
    entity = AE(title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = peer.timeout
    entity.connection_timeout = peer.timeout
    contexts = [build_context(kind, syntaxes) for kind, syntaxes in sorted(_kinds(files).items())]
    if not contexts:
        raise Undelivered("The file is not there any more, or no DICOM file.")
    opened: list[Any] = []
    try:
        association = entity.associate(
            peer.host,
            peer.port,
            contexts=contexts[:_MOST_KINDS],
            ae_title=peer.ae_title,
            tls_args=(_tls(peer), peer.host) if peer.tls else None,
            evt_handlers=[(evt.EVT_CONN_OPEN, lambda event: opened.append(event.assoc.dul.socket.socket))],
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise Undelivered(f"The peer cannot be reached ({type(error).__name__}).") from error
    try:
        if not association.is_established:
            raise Undelivered(_why(peer, association, reached=bool(opened)))

        def send(file: Path) -> None:
            _check(association, file)

        yield send
    finally:
        if association.is_established:
            association.release()
        else:
            association.kill()
        for connection in opened:
            connection.close()  # pynetdicom leaves it open where the peer ended it first


def _why(peer: Peer, association: Any, *, reached: bool) -> str:
    if association.is_rejected:
        return "The peer refused the association: does it know our title, and we its?"
    if association.rejected_contexts:
        return _KIND
    words = "does not speak DICOM" if reached else "does not answer"
    return f"The peer {words} at port {peer.port}."


def _check(association: Any, file: Path) -> None:
    if not association.is_established:
        raise Undelivered("The peer ended the association.")
    try:
        with no_warnings():
            data = pydicom.dcmread(file)
        answer = association.send_c_store(data)
    except FileNotFoundError as error:
        raise Undelivered("The file is not there any more.") from error
    except ValueError as error:  # what it says quotes the file
        raise Undelivered(_KIND) from error
    except (OSError, AttributeError, RuntimeError) as error:
        raise Undelivered(f"The file could not be sent ({type(error).__name__}).") from error
    if "Status" not in answer:
        raise Undelivered("The peer did not answer in time, or ended the association.")
    if answer.Status != 0x0000 and answer.Status not in _WARNINGS:
        raise Undelivered(f"The peer did not take it: status 0x{answer.Status:04X}.")


def _kinds(files: Iterable[Path]) -> dict[str, list[str]]:
    """Return the transfer syntaxes of the files by their kind of object."""
    from pydicom.filereader import read_file_meta_info

    found: dict[str, list[str]] = {}
    for file in files:
        try:
            meta = read_file_meta_info(file)
            kind, syntax = str(meta.MediaStorageSOPClassUID), meta.TransferSyntaxUID
        except Exception:  # a file that is gone or damaged is told of when it is its turn
            continue
        offered = [syntax]
        if not syntax.is_compressed:
            offered += [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
        known = found.setdefault(kind, [])
        known += [str(one) for one in offered if str(one) not in known]
    return found


@contextmanager
def _by_stow(peer: Peer) -> Iterator[Send]:
    headers = {"Accept": "application/dicom+json"}
    if peer.token:
        headers["Authorization"] = f"Bearer {peer.token}"
    login = httpx.BasicAuth(peer.user, peer.password) if peer.user and not peer.token else None
    secured = _tls(peer) if peer.url.startswith("https") else False
    with httpx.Client(
        timeout=peer.timeout,
        verify=secured,
        headers=headers,
        auth=login,
        follow_redirects=False,
        trust_env=False,
    ) as client:

        def send(file: Path) -> None:
            try:
                status, answer = _post(client, f"{peer.url.rstrip('/')}/studies", file)
            except FileNotFoundError as error:
                raise Undelivered("The file is not there any more.") from error
            except (httpx.HTTPError, OSError) as error:
                raise Undelivered(f"The peer cannot be reached ({type(error).__name__}).") from error
            _judge(status, answer)

        yield send


def _post(client: httpx.Client, url: str, file: Path) -> tuple[int, bytes]:
    edge = uuid.uuid4().hex
    kind = f'multipart/related; type="application/dicom"; boundary={edge}'
    size = file.stat().st_size
    head, tail = _edges(edge)
    length = {"Content-Type": kind, "Content-Length": str(len(head) + size + len(tail))}
    with client.stream("POST", url, content=_body(file, head, tail), headers=length) as response:
        answer = bytearray()
        for piece in response.iter_bytes():
            answer += piece
            if len(answer) > _LONGEST_ANSWER:
                break
        return response.status_code, bytes(answer)


def _edges(edge: str) -> tuple[bytes, bytes]:
    head = f"--{edge}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return head, f"\r\n--{edge}--\r\n".encode()


def _body(file: Path, head: bytes, tail: bytes) -> Iterator[bytes]:
    yield head
    with file.open("rb") as source:
        while piece := source.read(_PIECE):
            yield piece
    yield tail


def _judge(status: int, answer: bytes) -> None:
    """Raise Undelivered where an answer does not say that the instance was stored (PS3.18 10.5.3)."""
    if status not in (200, 202):
        raise Undelivered(f"The peer did not take it: HTTP status {status}.")
    try:
        refused = json.loads(answer).get("00081198", {}).get("Value") or []
        reasons = [one.get("00081197", {}).get("Value", [0])[0] for one in refused]
        words = ", ".join(f"0x{int(reason):04X}" for reason in reasons)
    except (ValueError, AttributeError, TypeError, LookupError, RecursionError):
        refused, words = [], ""  # 200 without DICOM JSON, as of archives that answer in XML
        if status == 202:
            raise Undelivered("The peer says that it may not have taken it, and not why.") from None
    if refused:
        raise Undelivered(f"The peer did not take it: reason {words}.")


def _tls(peer: Peer) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=peer.tls_ca)
    except (OSError, ssl.SSLError) as error:
        raise Undelivered(f"tls_ca of this peer cannot be used ({type(error).__name__}).") from error
