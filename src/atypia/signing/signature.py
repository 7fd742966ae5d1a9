"""Signatures beside the files that they are of: FILE.minisig."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from atypia.atomic import write_whole
from atypia.errors import BadOption, BadSignature
from atypia.signing.keys import PublicKey, SecretKey, ed25519
from atypia.signing.lines import COMMENT, decoded, encoded, number, read_lines

TRUSTED = "trusted comment: "
SUFFIX = ".minisig"
_PLAIN, _HASHED = b"Ed", b"ED"
_EXPECTED = "a signature of minisign"


def signature_path(file: Path) -> Path:
    """Return where the signature of a file lies."""
    return file.with_name(file.name + SUFFIX)


def sign_file(file: Path, key: SecretKey, comment: str | None = None) -> Path:
    """Write the signature of a file beside it, and return where; an older one is replaced.

    What is signed is BLAKE2b-512 of the content; `comment`, by default the time and the name of the file, is
    signed with it. Raises BadOption where there is no such file or the comment is no line, OutputError.
    """
    told = f"timestamp:{int(time.time())}\tfile:{file.name}\thashed" if comment is None else comment
    if not told.isprintable() and not told.replace("\t", "").isprintable():
        raise BadOption(f"Expected a comment of one line of text, received {told!r}.")
    signed = key.sign(_hash_of(file))
    lines = (
        f"{COMMENT}signature by atypia",
        encoded(_HASHED + key.public.key_id + signed),
        TRUSTED + told,
        encoded(key.sign(signed + told.encode())),
    )
    path = signature_path(file)
    write_whole(path, "\n".join(lines) + "\n")
    return path


def demand_signature(file: Path, key: PublicKey, signature: Path | None = None) -> str:
    """Return the trusted comment of a file that this key has signed; raise BadSignature else.

    The signature is read beside the file, unless told where. Those that minisign made before it hashed are
    verified as well.
    """
    path = signature or signature_path(file)
    if not path.exists():
        raise BadSignature(
            f"{file}: expected a signature at {path}, received none. Ask whom you have the file from for it, "
            "or sign it yourself with 'atypia sign'."
        )
    kind, key_id, signed, comment, whole = _read(path)
    if key_id != key.key_id:
        raise BadSignature(
            f"{path}: expected a signature by the key {key.number}, received one by {number(key_id)}."
        )
    content = _hash_of(file) if kind == _HASHED else _content(file)
    if not _holds(key, signed, content):
        raise BadSignature(f"{file}: this is not the file that was signed: the signature does not hold.")
    if not _holds(key, whole, signed + comment.encode()):
        raise BadSignature(f"{path}: its comment is not the one that was signed.")
    return comment


def _read(path: Path) -> tuple[bytes, bytes, bytes, str, bytes]:
    """Return kind, number of the key, signature, trusted comment, and the signature of both."""
    lines = read_lines(path, _EXPECTED)
    if len(lines) < 4 or not lines[0].startswith(COMMENT) or not lines[2].startswith(TRUSTED):
        raise BadSignature(f"{path}: expected {_EXPECTED}, received another text.")
    data = decoded(lines[1], 74, path, _EXPECTED)
    whole = decoded(lines[3], 64, path, _EXPECTED)
    if data[:2] not in (_PLAIN, _HASHED):
        raise BadSignature(f"{path}: expected {_EXPECTED}, received one of another kind.")
    return data[:2], data[2:10], data[10:], lines[2].removeprefix(TRUSTED), whole


def _holds(key: PublicKey, signed: bytes, data: bytes) -> bool:
    module = ed25519()
    from cryptography.exceptions import InvalidSignature

    try:
        module.Ed25519PublicKey.from_public_bytes(key.key).verify(signed, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def _hash_of(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, hashlib.blake2b).digest()
    except OSError as error:
        raise _no_file(file, error) from error


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _no_file(file, error) from error


def _no_file(file: Path, error: OSError) -> BadOption:
    return BadOption(f"{file}: expected a file that can be read, received: {error.strerror or error}.")
