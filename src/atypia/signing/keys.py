"""Pairs of Ed25519 keys, in the files of minisign, the secret one under a password or bare.

The files are those of https://jedisct1.github.io/minisign/, section "Signature format". Ed25519 is of
Bernstein, Duif, Lange, Schwabe and Yang, "High-speed high-security signatures" (2012), and computed by the
package `cryptography`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atypia.errors import BadOption, BadSignature, MissingExtra
from atypia.signing.lines import COMMENT, decoded, encoded, number, read_lines
from atypia.signing.password import LIMITS, mask

_ED25519, _SCRYPT, _BARE, _BLAKE2B = b"Ed", b"Sc", b"\0\0", b"B2"
_PUBLIC, _SECRET = "a public key of minisign (.pub)", "a secret key of minisign (.key)"


@dataclass(frozen=True)
class PublicKey:
    """What verifies: the number of the pair (8 bytes), and the key (32)."""

    key_id: bytes
    key: bytes

    @property
    def line(self) -> str:
        """The key as minisign takes it on the command line."""
        return encoded(_ED25519 + self.key_id + self.key)

    @property
    def number(self) -> str:
        """The number of the pair, as minisign shows it."""
        return number(self.key_id)


@dataclass(frozen=True)
class SecretKey:
    """What signs: the seed (32 bytes) that the key is derived from never shows itself."""

    public: PublicKey
    seed: bytes = field(repr=False)

    def sign(self, data: bytes) -> bytes:
        """Return the 64 bytes of a signature."""
        return bytes(ed25519().Ed25519PrivateKey.from_private_bytes(self.seed).sign(data))


def ed25519() -> Any:
    """Return the module that computes; raise MissingExtra without it."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519 as found
    except ModuleNotFoundError as error:
        raise MissingExtra("Signing and verifying", "sign") from error
    return found


def new_key() -> SecretKey:
    """Return a new pair, from the randomness of the system."""
    seed = secrets.token_bytes(32)
    return SecretKey(PublicKey(secrets.token_bytes(8), _public_of(seed)), seed)


def write_keys(key: SecretKey, secret: Path, public: Path, password: str | None) -> None:
    """Write both files, the secret one for its owner alone; without a password it is bare.

    Raises BadOption where one of them exists, for a lost key cannot be had again, and OutputError.
    """
    from atypia.atomic import not_written, write_whole

    for path in (secret, public):
        if path.exists():
            raise BadOption(f"{path}: expected no such file, for keys are never replaced. Name another.")
    told = f"{COMMENT}minisign {'encrypted ' if password else ''}secret key {key.public.number}"
    text = f"{told}\n{encoded(_packed(key, password))}\n"
    try:
        secret.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        raise not_written(secret, error) from error
    write_whole(public, f"{COMMENT}minisign public key {key.public.number}\n{key.public.line}\n")


def read_public(path: Path) -> PublicKey:
    """Read a public key; raise BadSignature where it is none."""
    lines = read_lines(path, _PUBLIC)
    if len(lines) < 2 or not lines[0].startswith(COMMENT):
        raise BadSignature(f"{path}: expected {_PUBLIC}, received another text.")
    data = decoded(lines[1], 42, path, _PUBLIC)
    if data[:2] != _ED25519:
        raise BadSignature(f"{path}: expected {_PUBLIC}, received a key of another kind.")
    return PublicKey(data[2:10], data[10:])


def is_encrypted(path: Path) -> bool:
    """Tell whether a secret key asks for a password; raise BadSignature where it is none."""
    return _secret(path)[2:4] == _SCRYPT


def read_secret(path: Path, password: str | None = None) -> SecretKey:
    """Read a secret key; raise BadSignature where it is none, or the password is not its."""
    data = _secret(path)
    body = data[54:]
    if data[2:4] == _SCRYPT:
        if password is None:
            raise BadSignature(f"{path}: the key is encrypted: its password is needed.")
        operations, memory = struct.unpack("<QQ", data[38:54])
        body = mask(body, password, data[6:38], operations, memory, path)
    key_id, seed, public, sum_of = body[:8], body[8:40], body[40:72], body[72:]
    bare = data[2:4] == _BARE  # minisign sums nothing up there
    found = bytes(32) if bare else hashlib.blake2b(data[:2] + body[:72], digest_size=32).digest()
    if not hmac.compare_digest(found, sum_of):
        wrong = "The password is wrong, or the file is damaged." if password else "The file is damaged."
        raise BadSignature(f"{path}: {wrong}")
    if _public_of(seed) != public:
        raise BadSignature(f"{path}: expected a pair of keys, received two that do not belong together.")
    return SecretKey(PublicKey(key_id, public), seed)


def _secret(path: Path) -> bytes:
    lines = read_lines(path, _SECRET)
    if len(lines) < 2 or not lines[0].startswith(COMMENT):
        raise BadSignature(f"{path}: expected {_SECRET}, received another text.")
    data = decoded(lines[1], 158, path, _SECRET)
    if data[:2] != _ED25519 or data[2:4] not in (_SCRYPT, _BARE) or data[4:6] != _BLAKE2B:
        raise BadSignature(f"{path}: expected {_SECRET}, received a key of another kind.")
    return data


def _packed(key: SecretKey, password: str | None) -> bytes:
    pair = key.public.key_id + key.seed + key.public.key
    if not password:
        return _ED25519 + _BARE + _BLAKE2B + bytes(48) + pair + bytes(32)
    body = pair + hashlib.blake2b(_ED25519 + pair, digest_size=32).digest()
    salt = secrets.token_bytes(32)
    head = _ED25519 + _SCRYPT + _BLAKE2B + salt + struct.pack("<QQ", *LIMITS)
    return head + mask(body, password, salt, *LIMITS, Path("the new key"))


def _public_of(seed: bytes) -> bytes:
    return bytes(ed25519().Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())
