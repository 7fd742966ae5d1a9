"""Detectors whose networks are trained at once, each in a process of its own with its share of the threads.

Two small networks on half of the threads each train faster than one after the other on all of them, for a
step has parts that no second thread helps, and drawing its examples takes turns in one interpreter.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import final

from atypia.detectors.base import Detector, State
from atypia.detectors.batch import PreparedSet
from atypia.detectors.fit_context import FitContext
from atypia.detectors.network_detector import NetworkDetector
from atypia.errors import AtypiaError
from atypia.parent import live_with_parent
from atypia.processors import MEMORY_EACH, memory, usable

FEWEST_STEPS = 200
"""Fewer, and starting processes would take longer than it saves."""
BOUNDS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
_AGAIN = 2
"""So many more processes try to fit what one died of."""
_DIED = (
    "{name}: the processes that fitted it died, most often for want of memory. It goes on in this one, "
    "with all threads instead of {each}: its weights may differ from those of a fit that was not disturbed.\n"
)
_GPUS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


@dataclass(frozen=True)
class _Broken:
    """A fault of ours, with where it happened."""

    trace: str


def threads_of_each(members: Sequence[Detector]) -> int:
    """Return how many threads each of these has where they are fitted at once; 0 where they had better not.

    At once are two or more networks with steps enough, where there are threads and memory for each, and no
    GPU, which one of them keeps busy alone.
    """
    networks = [one for one in members if isinstance(one, NetworkDetector)]
    if len(networks) < 2 or min(one.steps for one in networks) < FEWEST_STEPS:
        return 0
    if memory() // MEMORY_EACH < len(networks) or any(Path(one).exists() for one in _GPUS):
        return 0
    bounds = [usable(), *(one.threads for one in networks if one.threads is not None)]
    return min(bounds) // len(networks)


@final
class SideBySide:
    """Detectors that are fitted in processes of their own, which end with this context.

    Their weights are those of a fit with so many threads. A process that dies, most often for want of memory,
    costs time: once the others are done its detector goes on in another process, with as many threads, for
    with more of them sums round otherwise. What no process lives through is fitted by the one that asked,
    and that is told.
    """

    def __init__(
        self,
        members: Sequence[NetworkDetector],
        healthy: PreparedSet,
        contexts: Sequence[FitContext],
        each: int,
    ) -> None:
        self._healthy, self._each = healthy, each
        self._members, self._contexts = list(members), list(contexts)
        self._started: list[tuple[BaseProcess, Connection]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have the processes at work meanwhile."""
        try:
            for place in range(len(self._members)):
                self._start(place)
            yield
        finally:
            for process, told in self._started:
                process.terminate()
                process.join()
                told.close()

    def fitted(self) -> list[NetworkDetector]:
        """Wait for the detectors, in their order; raise what one of them raised as soon as it does."""
        states: dict[int, State | None] = {}
        lines = {told: place for place, (_, told) in enumerate(self._started)}
        while len(states) < len(lines):
            waiting = [line for line, place in lines.items() if place not in states]
            for line in connection.wait(waiting):
                assert isinstance(line, Connection)
                states[lines[line]] = _told(line)
        return [self._made(place, states[place]) for place in range(len(self._members))]

    def _start(self, place: int, *, resume: bool = False) -> Connection:
        """Have a detector fitted by a new process; return the line by which that tells."""
        member, context = self._members[place], replace(self._contexts[place], line=place + 1)
        spawning = multiprocessing.get_context("spawn")
        here, there = spawning.Pipe()
        process = spawning.Process(target=_work, args=(there,), name=f"fit {member.name}", daemon=True)
        with _bounded(self._each):
            process.start()
        there.close()
        self._started.append((process, here))
        # Not an argument of the process: who starts one that dies at once would wait for it to read those.
        with suppress(OSError):
            here.send((member, self._healthy, replace(context, resume=context.resume or resume)))
        return here

    def _made(self, place: int, state: State | None) -> NetworkDetector:
        member = self._members[place]
        for _ in range(_AGAIN):
            if state is None:
                state = _told(self._start(place, resume=True))
        if state is None:
            sys.stderr.write(_DIED.format(name=member.name, each=self._each))
            return member.fit(self._healthy, replace(self._contexts[place], resume=True))
        return type(member).from_state(state, member.threads)


@contextmanager
def _bounded(threads: int) -> Iterator[None]:
    """Let processes that start meanwhile compute in so many threads."""
    before = {name: os.environ.get(name) for name in BOUNDS}
    os.environ.update(dict.fromkeys(BOUNDS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _told(line: Connection) -> State | None:
    """Return a fitted detector's state, None of a process that died; raise what it met."""
    try:
        told: object = line.recv()
    except (EOFError, OSError):
        return None
    if isinstance(told, BaseException):
        raise told
    if isinstance(told, _Broken):
        raise RuntimeError(f"A process failed, which is a fault of Atypia:\n{told.trace}")
    assert isinstance(told, State)
    return told


def _work(line: Connection) -> None:
    """Fit, in a process of its own, what comes along the line, and tell the state, or what went wrong."""
    live_with_parent(lambda: os._exit(1))
    told: object
    try:
        member, healthy, context = line.recv()
        told = member.fit(healthy, context).state()
    except (AtypiaError, OSError) as error:
        told = error
    except MemoryError:
        os._exit(1)
    except Exception:
        told = _Broken(traceback.format_exc())
    line.send(told)
    line.close()
