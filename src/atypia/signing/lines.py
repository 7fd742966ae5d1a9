"""The files of minisign: a comment that nobody vouches for, then base64."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from atypia.errors import BadSignature

COMMENT = "untrusted comment: "
LARGEST = 8192


def read_lines(path: Path, expected: str) -> list[str]:
    """Return the lines of a small text file; raise BadSignature where it is none."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise BadSignature(f"{path}: expected {expected}, received: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise BadSignature(f"{path}: expected {expected}, received a file that is no text.") from error
    if len(data) > LARGEST:
        raise BadSignature(f"{path}: expected {expected}, received a file of more than {LARGEST} bytes.")
    return text.splitlines()


def decoded(line: str, length: int, path: Path, expected: str) -> bytes:
    """Return so many bytes that are written in base64; raise BadSignature where they are not."""
    try:
        data = base64.b64decode(line.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadSignature(f"{path}: expected {expected}, received a line that is not base64.") from error
    if len(data) != length:
        raise BadSignature(f"{path}: expected {expected}, received {len(data)} bytes in place of {length}.")
    return data


def encoded(data: bytes) -> str:
    """Return bytes in base64."""
    return base64.b64encode(data).decode("ascii")


def number(key_id: bytes) -> str:
    """Return the number of a key as minisign shows it."""
    return f"{int.from_bytes(key_id, 'little'):016X}"
