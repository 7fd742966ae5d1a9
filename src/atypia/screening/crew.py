"""Several processes on this machine that share the shards of a job; who dies costs a retry of its shard."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from atypia.errors import ProcessesDied
from atypia.reading.row import Row
from atypia.scratch import Scratch
from atypia.screening.child import OUT_OF_MEMORY, READY, Broken, Given, Seen, Warned, work
from atypia.screening.failed import Failed, risen
from atypia.screening.journal import Journal
from atypia.screening.order import Order
from atypia.screening.plan import Shard
from atypia.screening.tally import Counts

TRIES = 3
"""How many processes may die over one shard before it is taken for the cause."""


@dataclass(eq=False)
class _Hand:
    """A process as it is seen from here, and the shard that it is at."""

    process: BaseProcess
    line: Connection
    threads: int
    ready: bool = False
    at: Shard | None = None


class Crew:
    """Processes that each hold the Screener in `file` and judge shards of `rows`, which a journal keeps.

    There are as many as `threads` has numbers, each the threads of one. Who dies is not replaced while others
    live, for most often memory was short. `ticks` gives one for each scan. `lost` counts the dead.
    Use `judged` once.
    """

    def __init__(
        self,
        file: Path,
        order: Order,
        threads: Sequence[int],
        journal: Journal,
        rows: Sequence[Row],
        ticks: Iterator[int],
    ) -> None:
        self._file, self._order, self._journal, self._rows = file.absolute(), order, journal, rows
        self._ticks, self._seen, self._warned = ticks, dict[int, int](), set[str]()
        self._free, self._most = list(threads), len(threads)
        self._bearable = TRIES + len(threads)
        self._hands: list[_Hand] = []
        self._deaths: dict[int, int] = {}
        self._barren = 0  # deaths since a shard was last done
        self.lost = 0

    def judged(self) -> Generator[Shard, None, None]:
        """Have all shards that are left judged, and yield each when it is kept.

        Raises whatever error of ours, or of the operating system, was met, and ProcessesDied. However it
        ends, or is closed, no process is left.
        """
        waiting = deque(self._journal.left)
        with Scratch() as temporary:
            try:
                while waiting or any(hand.at is not None for hand in self._hands):
                    self._engage(len(waiting), temporary)
                    self._hand_out(waiting)
                    for hand in self._heard():
                        done = self._listen(hand, waiting)
                        if done is not None:
                            yield done
            finally:
                self._dismiss()

    def _engage(self, waiting: int, temporary: str) -> None:
        """Start as many processes as there is work for."""
        wanted = min(self._most, waiting + sum(hand.at is not None for hand in self._hands))
        while len(self._hands) < wanted:
            self._hands.append(_started(self._file, self._order, self._free.pop(), temporary))

    def _hand_out(self, waiting: deque[Shard]) -> None:
        for hand in self._hands:
            if waiting and hand.ready and hand.at is None:
                hand.at = shard = waiting.popleft()
                folder = self._journal.begin(shard)
                rows = list(self._rows[shard.start : shard.stop])
                with suppress(OSError):  # it is dead: its line will tell
                    hand.line.send(Given(rows, folder, self._journal.kind, shard.before))

    def _heard(self) -> list[_Hand]:
        """Wait until some process has something to tell, or is dead."""
        lines = connection.wait([hand.line for hand in self._hands])
        return [hand for hand in self._hands if hand.line in lines]

    def _listen(self, hand: _Hand, waiting: deque[Shard]) -> Shard | None:
        """Return the shard that is done, if that is what is told; raise what went wrong."""
        try:
            told: Any = hand.line.recv()
        except (EOFError, OSError):
            self._mourn(hand, waiting)
            return None
        match told:
            case Failed():
                raise risen(told)
            case Broken():
                raise RuntimeError(f"A process failed, which is a fault of Atypia:\n{told.trace}")
            case Warned():
                self._pass_on(told.text)
            case Seen() if hand.at is not None:
                self._tick(hand.at, told.count)
            case Counts() if hand.at is not None:
                done, hand.at = hand.at, None
                self._journal.keep(done, told)
                self._tick(done, len(done))
                self._barren = 0
                return done
            case _:
                hand.ready = hand.ready or told == READY
        return None

    def _mourn(self, hand: _Hand, waiting: deque[Shard]) -> None:
        """Take the shard of a dead process back; raise ProcessesDied where that has happened too often."""
        self._hands.remove(hand)
        self._free.append(hand.threads)
        how = _ended(hand)
        self.lost, self._barren, self._most = self.lost + 1, self._barren + 1, max(self._most - 1, 1)
        at = hand.at
        if at is not None:
            self._journal.drop(at)
            waiting.appendleft(at)
            self._deaths[at.number] = self._deaths.get(at.number, 0) + 1
            if self._deaths[at.number] >= TRIES:
                raise ProcessesDied(
                    f"Expected the scans {at.start + 1} to {at.stop} to be judged, received the death of "
                    f"{TRIES} processes over them, the last by {how}. Where memory runs out give fewer with "
                    "--processes; else judge these scans apart, to find the one that they die of."
                )
        elif self._barren >= self._bearable:
            raise ProcessesDied(
                f"Expected processes that load the Screener, received the death of {self._barren}, the last "
                f"by {how}. Give --processes 1, and where memory runs out --threads 1."
            )

    def _tick(self, shard: Shard, count: int) -> None:
        """Count scans that are judged, but not those of a shard again that is judged again."""
        for _ in range(count - self._seen.get(shard.number, 0)):
            next(self._ticks, None)
        self._seen[shard.number] = max(count, self._seen.get(shard.number, 0))

    def _pass_on(self, warning: str) -> None:
        """Print a warning, once for all processes."""
        if warning not in self._warned:
            self._warned.add(warning)
            sys.stderr.write(warning)

    def _dismiss(self) -> None:
        for hand in self._hands:
            _kill(hand)
        for hand in self._hands:
            _ended(hand)
            if hand.at is not None:
                self._journal.drop(hand.at)


def _started(file: Path, order: Order, threads: int, temporary: str) -> _Hand:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    given = (there, file, replace(order, threads=threads), temporary)
    process = context.Process(target=work, args=given, daemon=True)
    with _without_interrupts():
        process.start()
    there.close()  # so that the line ends with the process
    return _Hand(process, here, threads)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back for a moment: a process that begins now never hears it, and so says nothing of it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # where it is started it lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _kill(hand: _Hand) -> None:
    """End a process and what it has started: it leads a group of its own, once it has begun."""
    pid = hand.process.pid
    if pid is not None and hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    hand.process.kill()


def _ended(hand: _Hand) -> str:
    """Wait for the end of a process, and tell how it came."""
    _kill(hand)
    hand.process.join()
    hand.line.close()
    code = hand.process.exitcode or 0
    if code == OUT_OF_MEMORY:
        return "want of memory"
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
