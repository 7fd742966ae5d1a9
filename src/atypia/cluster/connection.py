"""Joining a Ray cluster, and noticing when it is gone."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

from atypia.cluster.settings import Workers
from atypia.errors import BadOption, ClusterFailed, MissingExtra

_CALL, _EVERY = 5.0, 2.0


class Cluster:
    """A Ray cluster that this process has joined; `ray` is the package."""

    def __init__(self, ray: ModuleType) -> None:
        self.ray: Any = ray
        self._head = ray.get_runtime_context().gcs_address
        self._asked = time.monotonic()
        self.gone = False

    def room_for(self, workers: Workers) -> int:
        """Return how many workers of this size all nodes together have room for."""
        room = 0
        for node in self.ray.nodes():
            if node["Alive"]:
                has = node["Resources"]
                here = has.get("CPU", 0) // workers.cpus
                if workers.gpus:
                    here = min(here, has.get("GPU", 0) / workers.gpus + 1e-9)  # 0.3 / 0.1 is not quite 3
                room += int(here)
        return room

    def demand_alive(self) -> None:
        """Raise ClusterFailed where the head of the cluster no longer answers; it is asked now and then.

        Ray itself would wait for a minute, and then end this process without a word.
        """
        if time.monotonic() - self._asked < _EVERY:
            return
        if not (_answers(self._head) or _answers(self._head)):
            self.gone = True
            raise ClusterFailed(
                f"Expected the head of the Ray cluster at {self._head} to go on answering, received nothing. "
                "Start the cluster again."
            )
        self._asked = time.monotonic()


@contextmanager
def joined(workers: Workers) -> Iterator[Cluster]:
    """Join the cluster, or one that is started here for the while, and leave it in the end.

    Raises MissingExtra without Ray, BadOption for an address that is none, ClusterFailed where none answers.
    """
    ray = _ray()
    if ray.is_initialized():
        yield Cluster(ray)
        return
    _demand_answer(workers.address)
    try:
        with _own_signals():
            ray.init(
                address=workers.address,
                include_dashboard=False
                if workers.address is None and "RAY_ADDRESS" not in os.environ
                else None,
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise ClusterFailed(
            f"Expected a Ray cluster at {workers.address or 'the address in RAY_ADDRESS, or here'}, "
            f"received: {error}. Check that it runs, and with the same versions of Ray and Python."
        ) from error
    cluster = Cluster(ray)
    try:
        yield cluster
    finally:
        ray.shutdown()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Put SIGTERM back to what it did before: Ray would end the process without a word of what is kept."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None:
            with suppress(ValueError):  # in another thread than the first
                signal.signal(signal.SIGTERM, before)


def _ray() -> Any:
    # Ray tells its makers how it is used unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("The engine ray", "ray") from error
    return ray


def _demand_answer(address: str | None) -> None:
    """Ask the port, because Ray would try for a minute."""
    if address is None or address in ("auto", "local"):
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in address:
        raise BadOption(
            f"Expected the address of a Ray cluster, HOST:PORT such as 10.0.0.1:6379; received {address!r}."
        )
    if not _answers(address):
        raise ClusterFailed(
            f"Expected a Ray cluster at {address}, received no answer. Check the address, that the cluster "
            "runs, and that this machine may reach it."
        )


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _CALL):
            return True
    except OSError:
        return False
