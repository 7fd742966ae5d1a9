"""What an archive of millions of slices costs on a cluster: a discrete-event simulation of the Ray engine.

    python benchmarks/scale.py --core-ms 18 --kilobytes 40 [--nodes 1 8 64] [--slices 1e6 1e8]

It goes by what was measured on one machine: core-milliseconds of a slice from decoding to verdict
(`where_time_goes.py`), kilobytes of a slice's file, seconds until a worker is ready and what the process that
hands out and writes spends on a shard (`ray_engine.py`). Of the machines, their network, the store and the
deaths of nodes it goes by the arguments; docs/explanation/scale.md says where the defaults come from.

A worker is at one shard while it fetches ahead, so a shard takes it the longer of judging and fetching. What
bounds fetching is the network of the node, the latency of an object over the requests in flight, or the
requests that the store answers. Nodes die at random, give their shards back and are replaced. One process
writes one shard after the other. Needs simpy.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy

HOUR = 3600.0


@dataclass(frozen=True)
class Machine:
    """A kind of node: cores, and network in Gbit/s. Two virtual cores that share one count as one."""

    cores: int
    gigabits: float


MACHINES = {
    "laptop": Machine(8, 1.0),
    "m5.8xlarge": Machine(16, 10.0),
    "c7a.8xlarge": Machine(32, 12.5),
}


@dataclass(frozen=True)
class Plan:
    """All that a run depends on; see the arguments."""

    machine: Machine
    nodes: int
    slices: int
    asked: argparse.Namespace

    @property
    def workers(self) -> int:
        """The workers of a node."""
        return max(1, self.machine.cores // self.asked.threads)

    def bounds(self) -> dict[str, float]:
        """Return the slices a second that each part of the cluster can take."""
        asked, each = self.asked, self.asked.slices_of_object
        flying = self.nodes * self.workers * asked.flying
        return {
            "cores": self.nodes * self.machine.cores * 1000 / asked.core_ms,
            "network": self.nodes * self.machine.gigabits * 1e6 / 8 / asked.kilobytes,
            "latency": flying * 1000 / asked.latency_ms * each,
            "requests": asked.requests * each,
            "writing": asked.shard * 1000 / asked.write_ms,
        }


class Run:
    """A simulated job; `seconds` it takes, `busy` and `writing` seconds of workers and of who writes."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan, self.env, self.rng = plan, simpy.Environment(), np.random.default_rng(seed)
        self.busy = self.writing = 0.0
        self.redone = self.deaths = 0
        most = plan.bounds()
        fetched = min(most[name] for name in ("network", "latency", "requests"))
        self.fetching = plan.workers * plan.nodes / fetched  # seconds of a worker for a slice
        sizes = [plan.asked.shard] * (plan.slices // plan.asked.shard)
        sizes += [plan.slices % plan.asked.shard] * bool(plan.slices % plan.asked.shard)
        self.waiting = simpy.PriorityStore(self.env)
        self.waiting.items = [simpy.PriorityItem(number, size) for number, size in enumerate(sizes)]
        self.left, self.done = len(sizes), self.env.event()
        self.writer = simpy.Resource(self.env)
        for _ in range(plan.nodes):
            here = [self.env.process(self.worker()) for _ in range(plan.workers)]
            if plan.asked.life_h:
                self.env.process(self.deaths_of(here))
        self.env.run(self.done)
        self.seconds = self.env.now

    def worker(self) -> Iterator[Any]:
        """Judge one shard after the other, in one life after the other."""
        asked, away = self.plan.asked, 0.0
        while True:
            shard, request, since = None, None, None
            try:
                yield self.env.timeout(away + asked.ready_s)
                while True:
                    shard, request = None, self.waiting.get()
                    shard = yield request
                    since = self.env.now
                    noise = float(self.rng.lognormal(-(asked.spread**2) / 2, asked.spread))
                    judging = asked.core_ms / 1000 / asked.threads * noise
                    yield self.env.timeout(shard.item * max(judging, self.fetching))
                    self.busy += self.env.now - since
                    self.env.process(self.write())
            except simpy.Interrupt:
                if shard is not None:
                    self.redone += 1
                    self.waiting.put(shard)
                elif request is not None:
                    request.cancel()
                away = asked.replaced_s

    def write(self) -> Iterator[Any]:
        """Write a shard as soon as those before it are written."""
        with self.writer.request() as turn:
            yield turn
            yield self.env.timeout(self.plan.asked.write_ms / 1000)
        self.writing += self.plan.asked.write_ms / 1000
        self.left -= 1
        if not self.left:
            self.done.succeed()

    def deaths_of(self, workers: list[Any]) -> Iterator[Any]:
        """Let a node die again and again."""
        while True:
            yield self.env.timeout(float(self.rng.exponential(self.plan.asked.life_h * HOUR)))
            self.deaths += 1
            for worker in workers:
                worker.interrupt()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--core-ms", type=float, required=True, help="of a slice, decoding to verdict")
    parser.add_argument("--kilobytes", type=float, required=True, help="of a slice's file")
    parser.add_argument("--slices", type=float, nargs="+", default=[1e6, 1e8])
    parser.add_argument("--machines", nargs="+", choices=MACHINES, default=list(MACHINES))
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--threads", type=int, default=1, help="cores of a worker")
    parser.add_argument("--shard", type=int, default=1024)
    parser.add_argument("--spread", type=float, default=0.05, help="of the time of a shard, as a share")
    parser.add_argument("--ready-s", type=float, default=5.0, help="until a worker can judge")
    parser.add_argument("--write-ms", type=float, default=100.0, help="of the process that writes, a shard")
    parser.add_argument("--latency-ms", type=float, default=30.0, help="of an object")
    parser.add_argument("--flying", type=int, default=32, help="requests in flight of a worker")
    parser.add_argument("--requests", type=float, default=5500.0, help="a second that the store answers")
    parser.add_argument("--slices-of-object", type=float, default=1.0, help="155 for a volume of so many")
    parser.add_argument("--life-h", type=float, default=20.0, help="of a node, on average; 0: for ever")
    parser.add_argument("--replaced-s", type=float, default=180.0, help="until a dead node is replaced")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    heads = (
        "slices",
        "machines",
        "hours",
        "core-hours",
        "cores judge",
        "first to fill",
        "of it",
        "deaths",
        "redone",
    )
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for slices in asked.slices:
        for name in asked.machines:
            for nodes in asked.nodes if name != "laptop" else [1]:
                tell(name, Plan(MACHINES[name], nodes, int(slices), asked))


def tell(name: str, plan: Plan) -> None:
    """Run a plan and print its row."""
    run, most = Run(plan, plan.asked.seed), plan.bounds()
    cores = plan.nodes * plan.machine.cores
    judging = plan.slices * plan.asked.core_ms / 1000 / (run.seconds * cores)
    first = min(most, key=lambda part: most[part])
    share = plan.slices / run.seconds / most[first]
    row = [f"{plan.slices:.0e}", f"{plan.nodes} {name}", f"{run.seconds / HOUR:.2f}"]
    row += [f"{run.seconds * cores / HOUR:,.0f}", f"{judging:.0%}", first, f"{share:.0%}"]
    print(f"| {' | '.join([*row, str(run.deaths), f'{run.redone:,}'])} |")


if __name__ == "__main__":
    main()
