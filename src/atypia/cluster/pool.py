"""Workers on a cluster that share shards among them; who dies costs a retry of what it was at."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from atypia.cluster.connection import Cluster
from atypia.cluster.settings import Workers
from atypia.cluster.worker import Judged, Worker, versions
from atypia.errors import ClusterFailed
from atypia.screening.failed import Failed, risen
from atypia.screening.order import Order
from atypia.screening.plan import Shard

AHEAD = 2
"""Shards that a worker has at once, so that it need not wait for the next."""

TRIES = 4
"""How many workers may die over one shard before it is taken for the cause."""


@dataclass(eq=False)
class _Hand:
    """A worker as it is seen from here; `has` are its shards, the first of which it is at."""

    actor: Any
    ready: bool = False
    has: deque[Shard] = field(default_factory=deque)


class Pool:
    """`count` workers of a cluster, each with the Screener loaded.

    `rows_of` gives what a shard is judged from: whatever `Worker.judge` takes. Use `judged` once.
    """

    def __init__(
        self,
        cluster: Cluster,
        workers: Workers,
        count: int,
        model: bytes,
        order: Order,
        rows_of: Callable[[Shard], Any],
    ) -> None:
        self._cluster, self._workers, self._count, self._order = cluster, workers, count, order
        self._ray, self._rows_of = cluster.ray, rows_of
        self._model = self._ray.put(model)
        self._kind = self._ray.remote(Worker).options(
            num_cpus=workers.cpus,
            num_gpus=workers.gpus,
            max_restarts=0,  # whoever comes anew is started here, for only here is known what was lost
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        self._hands: list[_Hand] = []
        self._flying: dict[Any, tuple[_Hand, Shard | None]] = {}
        self._deaths: dict[int, int] = {}
        self._barren = 0  # deaths since a shard was last done
        self._idle_since = time.monotonic()
        self.lost = 0

    def judged(self, shards: Iterable[Shard]) -> Iterator[tuple[Shard, Judged]]:
        """Yield what came of each shard as it comes, in any order, each once.

        Raises whatever error of ours a worker met, and ClusterFailed where there is no room for any worker
        or the cluster is gone.
        """
        waiting = deque(shards)
        try:
            while waiting or any(hand.has for hand in self._hands):
                self._engage(waiting)
                self._hand_out(waiting)
                for reference in self._landed():
                    hand, shard = self._flying.pop(reference)
                    came = self._come(reference, hand, waiting)
                    if came is None:
                        continue
                    if shard is None:
                        self._greeted(hand, came)
                    else:
                        hand.has.remove(shard)
                        self._barren = 0
                        yield shard, came
        finally:
            self._dismiss()

    def _engage(self, waiting: deque[Shard]) -> None:
        """Start as many workers as there is work for."""
        wanted = min(self._count, len(waiting) + sum(bool(hand.has) for hand in self._hands))
        while len(self._hands) < wanted:
            hand = _Hand(self._kind.remote())
            self._hands.append(hand)
            self._flying[hand.actor.ready.remote(self._model, self._order)] = (hand, None)

    def _hand_out(self, waiting: deque[Shard]) -> None:
        """Give shards to workers that are there; one that has none goes first."""
        for depth in range(AHEAD):
            for hand in self._hands:
                if waiting and hand.ready and len(hand.has) == depth:
                    shard = waiting.popleft()
                    hand.has.append(shard)
                    rows = self._rows_of(shard)
                    self._flying[hand.actor.judge.remote(rows, shard.before)] = (hand, shard)

    def _landed(self) -> list[Any]:
        """Wait a moment, and return the calls that have come back."""
        self._cluster.demand_alive()
        landed, _ = self._ray.wait(list(self._flying), num_returns=1, timeout=1)
        if any(hand.ready for hand in self._hands):
            self._idle_since = time.monotonic()
        elif time.monotonic() - self._idle_since > self._workers.patience:
            raise ClusterFailed(
                f"Expected room for a worker with {self._workers.size} on the cluster, received none in "
                f"{self._workers.patience:g} seconds. Ask for less with --cpus-per-worker and "
                "--gpus-per-worker, or add nodes."
            )
        return list(landed)

    def _come(self, reference: Any, hand: _Hand, waiting: deque[Shard]) -> Any:
        """Return what a call gave, None where its worker is lost; raise what it says went wrong."""
        try:
            came = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise ClusterFailed(f"A worker failed, which is a fault of Atypia: {error}") from error
        except self._ray.exceptions.RayError as error:  # it died, its node did, or what it said was lost
            self._mourn(hand, waiting, error)
            return None
        if isinstance(came, Failed):
            raise risen(came)
        return came

    def _mourn(self, hand: _Hand, waiting: deque[Shard], error: Exception) -> None:
        """Take the shards of a lost worker back; once, though each of its calls tells of its death."""
        if hand not in self._hands:
            return
        self._cluster.demand_alive()
        self._hands.remove(hand)
        self._flying = {ref: (who, what) for ref, (who, what) in self._flying.items() if who is not hand}
        self.lost += 1
        self._barren += 1
        if self._barren > TRIES * self._count:
            raise ClusterFailed(
                f"Expected workers that live, received {self._barren} deaths in a row: {error}"
            )
        if hand.has:
            at = hand.has[0]
            self._deaths[at.number] = self._deaths.get(at.number, 0) + 1
            if self._deaths[at.number] >= TRIES:
                raise ClusterFailed(
                    f"Expected the scans {at.start + 1} to {at.stop} to be judged, received the death of "
                    f"{TRIES} workers over them: {error} Give the workers more memory, or judge these scans "
                    "apart."
                )
            waiting.extendleft(reversed(hand.has))

    def _greeted(self, hand: _Hand, came: dict[str, str]) -> None:
        """Take a worker on; raise ClusterFailed where its scores might be others than ours."""
        mine = versions()
        other = [
            f"{name} {came.get(name)} there, {value} here"
            for name, value in mine.items()
            if came.get(name) != value
        ]
        if other:
            raise ClusterFailed(
                f"Expected the same versions on all nodes, received {', '.join(other)}. Install the same "
                "everywhere, for scores may differ else."
            )
        hand.ready = True

    def _dismiss(self) -> None:
        if not self._cluster.gone:
            for hand in self._hands:
                self._ray.kill(hand.actor)
