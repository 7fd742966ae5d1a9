"""Detectors whose networks are trained at once, each in a process of its own with its share of the threads.

Two small networks on half of the threads each train faster than one after the other on all of them, for a
step has parts that no second thread helps, and drawing its examples takes turns in one interpreter.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import final

from atypia.detectors.base import Detector, State
from atypia.detectors.batch import PreparedSet
from atypia.detectors.fit_context import FitContext
from atypia.detectors.network_detector import NetworkDetector
from atypia.errors import AtypiaError
from atypia.processors import memory, usable

EACH = 2 << 30
"""What a process may need of the memory, in bytes."""
FEWEST_STEPS = 200
"""Fewer, and starting processes would take longer than it saves."""
BOUNDS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
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
    if memory() // EACH < len(networks) or any(Path(one).exists() for one in _GPUS):
        return 0
    bounds = [usable(), *(one.threads for one in networks if one.threads is not None)]
    return min(bounds) // len(networks)


@final
class SideBySide:
    """Detectors that are fitted in processes of their own, which end with this context.

    Their weights are those of a fit with so many threads. A process that dies, most often for want of memory,
    costs time alone: its detector is fitted again by the process that asked.
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
            with _bounded(self._each):
                for line, (member, context) in enumerate(zip(self._members, self._contexts, strict=True), 1):
                    self._start(member, replace(context, line=line))
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

    def _start(self, member: NetworkDetector, context: FitContext) -> None:
        spawning = multiprocessing.get_context("spawn")
        here, there = spawning.Pipe()
        process = spawning.Process(target=_work, args=(there,), name=f"fit {member.name}", daemon=True)
        process.start()
        there.close()
        self._started.append((process, here))
        # Not an argument of the process: who starts one that dies at once would wait for it to read those.
        with suppress(OSError):
            here.send((member, self._healthy, context))

    def _made(self, place: int, state: State | None) -> NetworkDetector:
        member = self._members[place]
        if state is None:
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
    _live_with_parent()
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


def _live_with_parent() -> None:
    """Leave Ctrl-C to the parent, and end with it, whatever ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
