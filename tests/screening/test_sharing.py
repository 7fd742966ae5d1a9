from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atypia import processors
from atypia.errors import AtypiaError, MissingExtra, OutputError
from atypia.processors import MEMORY_EACH, usable
from atypia.screening import sharing
from atypia.screening.failed import failed, risen
from atypia.screening.plan import SHARD, Shard, usual_size
from atypia.screening.sharing import threads_of_each


def shards(count: int, size: int = 256) -> list[Shard]:
    return [Shard(number, number * size, (number + 1) * size, 0) for number in range(count)]


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 30))
def test_threads_are_shared_out_and_no_process_is_idle(processes, threads, count):
    each = threads_of_each(processes, threads, shards(count))
    wanted = min(processes, threads, count)
    assert len(each) == (wanted if wanted > 1 else 0)
    assert sum(each) == (threads if each else 0)
    assert max(each, default=0) - min(each, default=0) <= 1


@pytest.fixture
def machine(monkeypatch):
    """A machine with 16 processors, so much memory and such a device."""

    def make(memory=64 * MEMORY_EACH, device="cpu"):
        monkeypatch.setattr(sharing, "usable", lambda: 16)
        monkeypatch.setattr(sharing, "memory", lambda: memory)
        monkeypatch.setattr(sharing, "device", lambda: device)

    return make


def test_as_many_as_pay(machine):
    machine()
    assert threads_of_each(None, None, shards(20)) == (2,) * 8
    assert threads_of_each(None, 7, shards(20)) == (3, 2, 2)
    assert threads_of_each(None, 3, shards(20)) == (), "two threads are as well off in one"
    assert threads_of_each(None, None, shards(5)) == (4, 3, 3, 3, 3)
    assert threads_of_each(None, None, shards(4)) == (), "few scans"
    assert threads_of_each(2, None, shards(4)) == (8, 8), "as told"
    assert threads_of_each(None, None, shards(20), known=False) == ()
    machine(memory=3 * MEMORY_EACH)
    assert threads_of_each(None, None, shards(20)) == (6, 5, 5)
    machine(memory=MEMORY_EACH - 1)
    assert threads_of_each(None, None, shards(20)) == ()
    machine(device="cuda")
    assert threads_of_each(None, None, shards(20)) == ()


def test_more_processes_than_processors_have_a_thread_each():
    assert threads_of_each(usable() + 1, None, shards(200)) == (1,) * (usable() + 1)


@given(st.integers(0, 10**9))
def test_the_usual_shard_keeps_batches_whole_and_is_never_large(scans):
    size = usual_size(scans)
    assert size % 16 == 0
    assert 256 <= size <= SHARD
    assert size >= scans or scans > SHARD
    if SHARD < scans <= 64 * SHARD:
        assert -(-scans // size) >= 5, "there is something to share"


def test_memory_is_that_of_the_narrowest_group(tmp_path):
    told = tmp_path / "cgroup"
    told.write_text("0::/job/step\n")
    step = tmp_path / "root" / "job" / "step"
    step.mkdir(parents=True)
    (step / "memory.max").write_text("max\n")
    (step.parent / "memory.max").write_text("5000\n")
    assert processors._bounds_of_groups(told, tmp_path / "root") == [5000]
    told.write_text("7:memory:/job\n3:cpu:/job\n")
    (tmp_path / "old" / "memory" / "job").mkdir(parents=True)
    (tmp_path / "old" / "memory" / "job" / "memory.limit_in_bytes").write_text("700")
    assert processors._bounds_of_groups(told, tmp_path / "old") == [700]
    assert processors._bounds_of_groups(tmp_path / "none", tmp_path) == []
    assert processors.memory() > 2**27


def test_errors_come_through():
    full = risen(failed(OSError(28, "No space left on device")))
    assert isinstance(full, OSError)
    assert (full.errno, full.strerror) == (28, "No space left on device")
    assert isinstance(risen(failed(OSError("odd"))), OSError)
    refused = risen(failed(OutputError("not there")))
    assert (type(refused), str(refused)) == (OutputError, "not there")
    missing = risen(failed(MissingExtra("This", "dicom")))
    assert type(missing) is AtypiaError
    assert "atypia[dicom]" in str(missing)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--engine", "ray", "--processes", 2), "Expected no --processes beside --engine ray"),
        (("--threads", 2, "--processes", 3), "received --threads 2 beside --processes 3"),
    ],
)
def test_what_processes_do_not_go_with(atypia, quick_file, mixed_folder, tmp_path, words, told):
    done = atypia("score", quick_file, mixed_folder, "-o", tmp_path / "out", *words)
    assert (done.code, told in done.err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_the_plan_tells_of_processes(atypia, quick_file, mixed_folder, tmp_path):
    words = ("score", quick_file, mixed_folder, "-o", tmp_path / "out", "--shard", 4, "--dry-run")
    done = atypia(*words, "--processes", 2, "--threads", 2)
    assert "workers:       2 processes of this machine\n" in done.out
