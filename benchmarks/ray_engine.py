"""What a cluster costs beside one machine: the Ray engine with 1 and 2 workers against the local engine.

    python benchmarks/ray_engine.py MODEL SCANS [--root FOLDER] [--rows 2048] [--rounds 3] [--shard 256]
    python benchmarks/ray_engine.py MODEL SCANS --rows 100000 --rounds 1 --shard 1024      # the long table

A manifest of --rows is made of hard links to the scans of SCANS, again and again. In each round it, and one
of two shards alone, are judged by the local engine with one thread and by one and two workers with one core
each, on a cluster of two nodes on this machine, in turn. Told are, as medians of the rounds, the milliseconds
a slice beyond the first two shards, and the seconds before: workers start for each job and load the Screener.
Then what one worker takes above the local engine a slice, and how much faster two are than one, which on a
machine of two cores is bounded by what else runs there. All must have written the same rows, each once. The
peak of memory is that of this process, which hands shards out.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from atypia.cluster import Workers, score_to_parts
from atypia.reading.collection import Collection, read_collection
from atypia.screener import Screener
from atypia.screening import Keeping, maker_of, score_to_folder

Run = Callable[[Path, Collection], None]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("scans", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--rows", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shard", type=int, default=256)
    asked = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scans = _links(read_collection(asked.scans, root=asked.root), folder / "links", asked.rows)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)
        try:
            _compare(_engines(asked.model, asked.shard), scans, 2 * asked.shard, folder, asked.rounds)
        finally:
            ray.shutdown()
            cluster.shutdown()
    print(f"peak of memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _links(scans: Collection, folder: Path, count: int) -> Collection:
    """Return so many scans with paths of their own: links to those of a collection, in turn."""
    folder.mkdir()
    rows = []
    for number in range(count):
        row = scans.rows[number % len(scans)]
        link = folder / f"{number:07}{row.path.suffix}"
        try:
            os.link(row.path, link)
        except OSError:  # on another disk
            link.symlink_to(row.path.absolute())
        rows.append(replace(row, path=link, name=link.name, mask=None))
    return Collection(tuple(rows), str(folder))


def _engines(model: Path, shard: int) -> dict[str, Run]:
    screener = Screener.load(model)
    screener.use_threads(1)
    maker, keeping = maker_of(screener, model), Keeping(shard, threads=1)

    def local(out: Path, scans: Collection) -> None:
        score_to_folder(screener, scans, out, "parquet", maker=maker, keeping=keeping)

    def on_ray(count: int) -> Run:
        def run(out: Path, scans: Collection) -> None:
            score_to_parts(model, maker, scans, out, Workers(count=count), keeping)

        return run

    return {"local": local, "1 worker": on_ray(1), "2 workers": on_ray(2)}


def _compare(engines: dict[str, Run], scans: Collection, few: int, folder: Path, rounds: int) -> None:
    part = replace(scans, rows=scans.rows[:few])
    slices: dict[str, list[float]] = {name: [] for name in engines}
    before: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(rounds):
        found = []
        for name, run in engines.items():
            out = folder / f"{number} {name}"
            short, long = _timed(run, folder / f"{number} few {name}", part), _timed(run, out, scans)
            slices[name].append((long - short) / (len(scans) - few))
            before[name].append(short - few * slices[name][-1])
            found.append(_rows(out))
            shutil.rmtree(out)
        told = (f"{name} {1000 * each[-1]:.2f} ms a slice" for name, each in slices.items())
        print(f"round {number + 1}: {', '.join(told)}", flush=True)
        assert [row["name"] for row in found[0]] == [row.name for row in scans], "a row is lost or doubled"
        assert found[0] == found[1] == found[2], "the engines wrote other rows"
    for name in engines:
        each, first = statistics.median(slices[name]), statistics.median(before[name])
        print(f"{name}: {1000 * each:.3f} ms a slice, {first:.1f} s before")
    pairs = list(zip(slices["local"], slices["1 worker"], slices["2 workers"], strict=True))
    above = statistics.median(one / local - 1 for local, one, _ in pairs)
    print(f"1 worker above local: {100 * above:.1f} % a slice")
    print(f"2 workers against 1: {statistics.median(one / two for _, one, two in pairs):.2f} times as fast")
    print(f"{len(scans)} rows in each, none lost or doubled, all equal to the last bit")


def _timed(run: Run, out: Path, scans: Collection) -> float:
    began = time.perf_counter()
    run(out, scans)
    return time.perf_counter() - began


def _rows(out: Path) -> list[dict[str, object]]:
    whole = out / "findings.parquet"
    files = [whole] if whole.exists() else (out / "findings").glob("*.parquet")
    rows = [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]
    return sorted(rows, key=lambda row: str(row["name"]))


if __name__ == "__main__":
    main()
