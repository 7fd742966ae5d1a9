"""Neighbour search in the bank of healthy patches: blocked products by place against brute force.

    python benchmarks/neighbours.py [--members 20000] [--scans 16] [--rounds 5]

Random unit vectors, as many as `patchcore` keeps, each compared within a reach of two cells. Brute force is
one product of a scan's cells with all members, and a mask for what is out of reach. Where faiss is installed
its exact search is timed too; it knows no places, so it does less than is wanted: the nearest of all. All run
in turn, round by round, in one process, on one thread of linear algebra; told are medians of processor time.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from atypia.detectors.patch_bank import NEVER, PatchBank

GRID, WIDTH, REACH = 28, 104, 2


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--members", type=int, default=20_000)
    parser.add_argument("--scans", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    members = _unit(rng.normal(size=(asked.members, WIDTH)))
    places = rng.integers(0, GRID, (asked.members, 2)).astype(np.int16)
    bank = PatchBank(members.astype(np.float16), places, np.zeros(asked.members, np.int32), GRID, REACH)
    cells = _unit(rng.normal(size=(asked.scans, GRID, GRID, WIDTH)))
    far = _far(bank)
    ways: dict[str, Callable[[], NDArray[np.float32]]] = {
        "blocked by place": lambda: bank.nearest(cells)[0],
        "brute force": lambda: _brute(cells, bank.members.astype(np.float32), far),
    }
    if find_spec("faiss") is not None:
        ways["faiss, without places"] = lambda: _by_faiss(cells, members)
    with threadpool_limits(1, user_api="blas"):
        spent: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(asked.rounds + 1):  # the first is not counted
            for name in list(ways)[:: 1 if number % 2 else -1]:
                start = time.process_time()
                ways[name]()
                if number:
                    spent[name].append(time.process_time() - start)
        apart = np.abs(ways["brute force"]() - ways["blocked by place"]()).max()
        for name, way in ways.items():
            each = 1000 * statistics.median(spent[name]) / asked.scans
            ratio = statistics.median(
                a / b for a, b in zip(spent[name], spent["blocked by place"], strict=True)
            )
            print(f"{name:24} {each:8.2f} ms a scan, {ratio:6.2f} times; peak {_peak(way):6.0f} MiB")
    print(f"farthest apart: {apart:.1e}")


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def _far(bank: PatchBank) -> NDArray[np.float32]:
    own = np.stack(np.meshgrid(np.arange(GRID), np.arange(GRID), indexing="ij"), -1).reshape(-1, 1, 2)
    return np.where(np.abs(own - bank.places).max(axis=-1) <= REACH, np.float32(0), np.float32(NEVER))


def _brute(
    cells: NDArray[np.float32], members: NDArray[np.float32], far: NDArray[np.float32]
) -> NDArray[np.float32]:
    found = [(scan.reshape(-1, WIDTH) @ members.T + far).max(axis=1) for scan in cells]
    return np.stack(found).reshape(cells.shape[:3])


def _by_faiss(cells: NDArray[np.float32], members: NDArray[np.float32]) -> NDArray[np.float32]:
    import faiss  # type: ignore[import-not-found,unused-ignore]

    faiss.omp_set_num_threads(1)
    index: Any = faiss.IndexFlatIP(WIDTH)
    index.add(members)
    found: NDArray[np.float32] = index.search(cells.reshape(-1, WIDTH), 1)[0]
    return found.reshape(cells.shape[:3])


def _peak(way: Callable[[], object]) -> float:
    tracemalloc.start()
    way()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


if __name__ == "__main__":
    main()
