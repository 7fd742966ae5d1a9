"""A password over a secret key: scrypt, with the two limits of libsodium's `crypto_pwhash`.

Percival and Josefsson, "The scrypt password-based key derivation function", RFC 7914 (2016).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from atypia.errors import BadSignature

LIMITS = (2**22, 2**27)
"""Operations and bytes of memory of keys that are made here: N = 2^17, r = 8, p = 1, that is 128 MiB."""
MOST_MEMORY = 2**31
BLOCK = 8


def mask(data: bytes, password: str, salt: bytes, operations: int, memory: int, path: Path) -> bytes:
    """Return `data` combined bit by bit with what the password gives: the same way on and off.

    Raises BadSignature, naming `path`, for limits beyond 2 GiB of memory.
    """
    cost, parallel = _parameters(operations, memory)
    if not 1 < cost <= MOST_MEMORY // (128 * BLOCK) or not 1 <= parallel <= 16:
        raise BadSignature(
            f"{path}: expected a key whose password takes at most 2 GiB to try, received more."
        )
    stream = hashlib.scrypt(
        password.encode(),
        salt=salt,
        n=cost,
        r=BLOCK,
        p=parallel,
        maxmem=128 * BLOCK * (cost + parallel + 2) + 2**20,
        dklen=len(data),
    )
    return bytes(one ^ other for one, other in zip(data, stream, strict=True))


def _parameters(operations: int, memory: int) -> tuple[int, int]:
    """Return scrypt's N and p as libsodium picks them.

    >>> _parameters(2**25, 2**30), _parameters(*LIMITS), _parameters(524_288, 2**24)
    ((1048576, 1), (131072, 1), (16384, 1))
    """
    operations = max(operations, 32768)
    if operations < memory // 32:
        return _power(operations // (BLOCK * 4)), 1
    cost = _power(memory // (BLOCK * 128))
    return cost, min(operations // 4 // cost, 0x3FFFFFFF) // BLOCK


def _power(most: int) -> int:
    """Return the first power of 2, from 2, that is above half of `most`."""
    power = 2
    while power <= most // 2 and power < 2**63:
        power *= 2
    return power
