"""A cluster of two nodes on this machine, one of which dies in the middle of a job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from atypia.cluster import Workers, parts
from atypia.cluster.sweep import Fit, run_sweep
from atypia.destination import LOCK
from atypia.errors import BadOption, ClusterFailed
from atypia.reading.collection import Collection, Row, read_collection
from atypia.remote import fetch, listing, put
from atypia.screener import Screener
from atypia.screening import Keeping, maker_of, score_to_folder

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # those of Ray itself
    pytest.mark.skipif(sys.platform == "win32", reason="two nodes on one machine need Linux or macOS"),
]
LINKS = 200


@pytest.fixture(scope="module")
def cluster(store) -> Iterator:
    """A head and a second node, a core each; workers find the object store by the environment."""
    assert os.environ["AWS_ENDPOINT_URL"] == store
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    sooner = {
        "health_check_initial_delay_ms": 0,
        "health_check_period_ms": 500,
        "health_check_failure_threshold": 3,
    }
    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": sooner}
    nodes = Cluster(initialize_head=True, head_node_args=head)
    nodes.second = nodes.add_node(num_cpus=1)
    yield nodes
    nodes.shutdown()


@pytest.fixture(scope="module")
def links(scans_folder, tmp_path_factory) -> Collection:
    """A table of many links to few pictures."""
    folder = tmp_path_factory.mktemp("links")
    files = sorted(scans_folder.iterdir())
    rows = []
    for number in range(LINKS):
        link = folder / f"{number:06}.png"
        os.link(files[number % len(files)], link)
        rows.append(Row(link, link.name))
    return Collection(tuple(rows), str(folder))


def test_a_node_that_dies_costs_a_retry_and_never_a_row(cluster, judge, links, quick_file, rows_of, tmp_path):
    """The second node is killed once the first shard is kept: its worker is lost with what that does."""
    keep, killed = parts.Parts.keep, []

    def killing(self, shard, tables, counts):
        keep(self, shard, tables, counts)
        if not killed:
            killed.append(cluster.second)
            cluster.remove_node(cluster.second, allow_graceful=False)

    keeping = Keeping(shard=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts.Parts, "keep", killing)
        tally = judge(tmp_path / "out", links, keeping, Workers(cluster.address, count=2))
    assert killed
    assert (tally.workers, tally.lost) == (2, 1)
    screener = Screener.load(quick_file)
    screener.use_threads(1)
    maker = maker_of(screener, quick_file)
    local = replace(keeping, threads=1)
    score_to_folder(screener, links, tmp_path / "local", "parquet", maker=maker, keeping=local)
    found = rows_of(tmp_path / "out")
    assert [row["name"] for row in found] == [row.name for row in links], "none is lost or there twice"
    assert found == rows_of(tmp_path / "local"), "to the last bit"
    assert rows_of(tmp_path / "out", "regions") == rows_of(tmp_path / "local", "regions")


def test_from_the_command_line_from_store_to_store(
    cluster, atypia, scans_folder, quick_file, rows_of, tmp_path
):
    files = sorted(scans_folder.iterdir())
    for file in files:
        put(Path("s3://archive/ray/scans") / file.name, file.read_bytes())
    paths = ["path", *(f"s3://archive/ray/scans/{file.name}" for file in files), "s3://archive/ray/gone.png"]
    put(Path("s3://archive/ray/manifest.csv"), "\n".join(paths).encode())
    words = ("score", quick_file, "s3://archive/ray/manifest.csv", "-o", "s3://archive/ray/out", "--shard", 8)
    done = atypia(*words, "--engine", "ray", "--address", cluster.address)
    assert done.code == 1, done.err
    assert "21 scans judged" in done.out
    assert "findings: s3://archive/ray/out/findings\n" in done.out
    assert "2 could not be judged: see the column error" in done.err
    again = atypia(*words, "--engine", "ray", "--address", cluster.address)
    assert "went on where it was interrupted: 23 scans were done before" in again.err
    for path in listing(Path("s3://archive/ray/out")):
        file = tmp_path / path.relative_to("s3:/archive/ray/out")
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(fetch(path))
    found = rows_of(tmp_path)
    assert len(found) == 23
    assert [row["name"] for row in found if "no such object" in (row["error"] or "")] == [
        "s3://archive/ray/gone.png"
    ]


def test_the_plan_counts_what_the_cluster_has_room_for(cluster, atypia, scans_folder, quick_file, tmp_path):
    words = ("score", quick_file, scans_folder, "-o", tmp_path / "out", "--shard", 4, "--dry-run")
    told = atypia(*words, "--engine", "ray", "--address", cluster.address).out
    assert "workers:       1 of 1 CPUs" in told
    assert "shards:        6 of 4 scans" in told
    assert not (tmp_path / "out").exists()


def test_a_worker_that_no_node_has_room_for(cluster, judge, tmp_path):
    with pytest.raises(ClusterFailed, match="Expected a cluster with room for a worker of 64 CPUs"):
        judge(tmp_path, workers=Workers(cluster.address, cpus=64))
    with pytest.raises(
        ClusterFailed, match=r"room for a worker with 64 CPUs on the cluster, received none in 1 s"
    ):
        judge(tmp_path, workers=Workers(cluster.address, count=1, cpus=64, patience=1))


def test_a_sweep_on_the_cluster(cluster, tmp_path):
    """Each is a process on a node; one that fails costs itself alone, here both."""
    fits = [Fit((name, "--detector=nearest"), tmp_path / f"{name}.atypia") for name in ("none", "nowhere")]
    done = list(run_sweep(fits, tmp_path, Workers(cluster.address), None))
    assert sorted(one.fit.out.name for one in done) == ["none.atypia", "nowhere.atypia"]
    assert all(one.code == 2 and "expected a folder of scans" in one.told for one in done)


def workers_below(process: int) -> list[int]:
    """The processes of workers that this process has started, directly or not."""
    stats = {int(one.parent.name): one for one in Path("/proc").glob("[0-9]*/stat")}
    found, parents = [], {}
    for pid, stat in stats.items():
        with suppress(OSError):
            parents[pid] = int(stat.read_text().rpartition(")")[2].split()[1])
            if stat.with_name("cmdline").read_bytes().startswith(b"ray::Worker"):
                found.append(pid)

    def is_below(pid: int) -> bool:
        return pid == process or (pid in parents and is_below(parents[pid]))

    return [pid for pid in found if is_below(pid)]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc")
def test_a_killed_worker_costs_a_retry_and_a_signal_ends_the_job_with_its_journal_good(
    cluster, judge, links, quick_file, rows_of, tmp_path
):
    """The worker ends as where the system lacks memory; then SIGTERM, as a batch system sends it."""
    table, out = tmp_path / "table.csv", tmp_path / "out"
    table.write_text("path\n" + "\n".join(str(row.path) for row in links.rows[: LINKS // 2]))
    words = ["score", quick_file, table, "-o", out, "--shard", 2, "--engine", "ray"]
    command = [sys.executable, "-W", "ignore", "-m", "atypia", *words, "--address", cluster.address]

    def until(count: int) -> int:
        kept, end = 0, time.monotonic() + 60
        while kept < count and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
            kept = len(list((out / "_atypia").glob("shard-*.json")))
        return kept

    with subprocess.Popen(
        [str(word) for word in command], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        before = until(1)
        killed = workers_below(os.getpid())
        assert killed
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        assert until(before + 4) >= before + 4, "another goes on"
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 143, told
    last = told.splitlines()[-1]
    assert last.startswith("atypia: ended by SIGTERM. ")
    assert last.endswith(" of 100 scans are done and kept: the same command goes on from there.")
    assert not (out / LOCK).exists()
    tally = judge(out, read_collection(table), Keeping(shard=2), Workers(cluster.address))
    assert 0 < tally.kept < LINKS // 2
    assert [row["name"] for row in rows_of(out)] == [row.name for row in read_collection(table)]


def test_a_head_that_dies_ends_the_job_with_its_journal_good(cluster, links, quick_file, tmp_path):
    table, out = tmp_path / "table.csv", tmp_path / "out"
    table.write_text("path\n" + "\n".join(str(row.path) for row in links))
    words = [
        "score",
        quick_file,
        table,
        "-o",
        out,
        "--shard",
        "2",
        "--engine",
        "ray",
        "--address",
        cluster.address,
    ]
    command = [sys.executable, "-W", "ignore", "-m", "atypia", *map(str, words)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        first, until = out / "_atypia" / "shard-000000.json", time.monotonic() + 60
        while not first.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        cluster.remove_node(cluster.head_node, allow_graceful=False)
        _, told = process.communicate(timeout=60)
    assert process.returncode == ClusterFailed.exit_code, told
    assert "Expected the head of the Ray cluster" in told
    assert "are done and kept: the same command goes on from there." in told
    done = {file.stem[-6:] for file in (out / "_atypia").glob("shard-*.json")}
    assert {f"part-{number}.parquet" for number in done} <= {
        file.name for file in (out / "findings").iterdir()
    }


@pytest.mark.parametrize("address", ["nonsense", "ray://head:10001", "head:"])
def test_an_address_that_is_none(judge, tmp_path, address):
    with pytest.raises(BadOption, match="Expected the address of a Ray cluster"):
        judge(tmp_path, workers=Workers(address))


def test_a_cluster_that_is_not_there(judge, tmp_path):
    with pytest.raises(ClusterFailed, match=r"Expected a Ray cluster at 127\.0\.0\.1:9, received no answer"):
        judge(tmp_path / "out", workers=Workers("127.0.0.1:9"))
    assert not (tmp_path / "out").exists()
