"""How much one user, or one address, may ask of one server: kept in its memory, and in little of it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

ROOM = 10_000


class Buckets:
    """Token buckets: each key may do `per_minute` at once, and gets as many back each minute.

    The keys that were not seen for longest are forgotten when there are more than `room`.
    """

    def __init__(
        self, per_minute: float, clock: Callable[[], float] = time.monotonic, room: int = ROOM
    ) -> None:
        self._most, self._rate = max(per_minute, 1.0), per_minute / 60
        self._clock, self._room = clock, room
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one, and return 0; or take none, and return the seconds until there is one."""
        left = self._now_left(key)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._left[key] = (left if wait else left - 1, self._clock())
        self._left.move_to_end(key)
        if len(self._left) > self._room:
            self._left.popitem(last=False)
        return wait

    def _now_left(self, key: str) -> float:
        left, at = self._left.get(key, (self._most, self._clock()))
        return min(self._most, left + (self._clock() - at) * self._rate)


class AtOnce:
    """How many things of one kind each key, and all together, may have under way.

    Who finds no place waits up to `patience` seconds for one, in the order of coming; no more wait than may
    be under way together. Used by one event loop.
    """

    def __init__(self, each: int, together: int, patience: float = 0.0) -> None:
        self._each, self._together, self._patience = each, together, patience
        self._under_way: Counter[str] = Counter()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    async def enter(self, key: str) -> bool:
        """Begin one, perhaps after a while, or return False where there are too many."""
        if self._has_place(key) and not any(other == key for other, _ in self._waiting):
            self._under_way[key] += 1
            return True
        if not self._patience or len(self._waiting) >= self._together:
            return False
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((key, turn))
        try:
            async with asyncio.timeout(self._patience):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # the place was given just now
                self.leave(key)
            if isinstance(error, TimeoutError):
                return False
            raise
        finally:
            self._waiting = [one for one in self._waiting if one[1] is not turn]
        return True

    def leave(self, key: str) -> None:
        """End one, and let those begin who waited for it."""
        self._under_way[key] -= 1
        if self._under_way[key] <= 0:
            del self._under_way[key]
        for other, turn in self._waiting:
            if not turn.done() and self._has_place(other):
                self._under_way[other] += 1
                turn.set_result(None)

    def _has_place(self, key: str) -> bool:
        return self._under_way[key] < self._each and self._under_way.total() < self._together


def neighbourhood(address: str) -> str:
    """Return what an address is counted as: of IPv6 its first 64 bits, which one customer has whole.

    >>> neighbourhood("192.0.2.7"), neighbourhood("2001:db8::7"), neighbourhood("?")
    ('192.0.2.7', '2001:db8::/64', 'unknown')
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)
