"""What a fuzzing target is, and the few changes of bytes that all of them use."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

Seed = tuple[str, bytes]

NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    15,
    16,
    17,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
"""Where arithmetic on sizes goes wrong."""
FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e38, -1e308, float("nan"), float("inf"), -float("inf"))


@dataclass(frozen=True)
class Target:
    """`run` must return for any bytes: what it lets through as an error of ours, it swallows itself.

    `change` makes other bytes of some, by a seeded generator alone, and may raise anything for bytes that it
    cannot take apart. `longest` bounds an input.
    """

    name: str
    seeds: Callable[[], Iterator[Seed]]
    change: Callable[[bytes, Random], bytes]
    run: Callable[[bytes], None]
    longest: int = 2**16


def scramble(data: bytes, chance: Random) -> bytes:
    """Return bytes with a few of them flipped, set, cut out, doubled or put in."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        place = chance.randrange(len(made) + 1)
        end = min(len(made), place + chance.choice((1, 2, 4, 16)))
        way = chance.randrange(5)
        if way == 0 and place < len(made):
            made[place] ^= 1 << chance.randrange(8)
        elif way == 1:
            made[place:end] = number(chance, end - place)
        elif way == 2:
            del made[place:end]
        elif way == 3:
            made[place:place] = made[place:end]
        else:
            made[place:place] = chance.randbytes(chance.choice((1, 2, 4)))
    return bytes(made)


def number(chance: Random, size: int) -> bytes:
    """Return so many bytes that hold an awkward number, of either order."""
    value = chance.choice(NUMBERS) if chance.random() < 0.8 else chance.randrange(2**32)
    return (
        value.to_bytes(16, "little")[:size]
        if chance.random() < 0.5
        else value.to_bytes(16, "big")[-size or 16 :]
    )


def real(chance: Random, form: str) -> bytes:
    """Return an awkward real number in a form of `struct`."""
    try:
        return struct.pack(form, chance.choice(FLOATS))
    except OverflowError:
        return struct.pack(form, float("inf"))
