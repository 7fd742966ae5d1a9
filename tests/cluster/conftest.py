"""A cluster of two nodes and an object store on this machine; and a pool that works in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from atypia.cluster import Workers, score_to_parts, scoring
from atypia.cluster.worker import Worker
from atypia.reading.collection import Collection, read_collections
from atypia.screener import Screener
from atypia.screening import Keeping, maker_of
from atypia.screening.failed import Failed, risen

SMALL, HERE = Keeping(shard=4), Workers()


@pytest.fixture(scope="session")
def scans_folder(draw_heads, tmp_path_factory) -> Path:
    """Twenty-two pictures, one of them broken; half have lesions."""
    root = tmp_path_factory.mktemp("scans")
    for number in range(22):
        pixels, _ = draw_heads(1, size=32, seed=number, lesion=0.8 * (number % 2))
        Image.fromarray(np.uint8(255 * pixels[0])).save(root / f"{number:02}.png")
    (root / "07.png").write_text("no picture")
    return root


@pytest.fixture(scope="session")
def scans(scans_folder) -> Collection:
    return read_collections([scans_folder])


@pytest.fixture
def inline(monkeypatch):
    """Have shards judged by a worker in this process, as a cluster would; return the numbers of those."""
    numbers: list[int] = []

    class Inline:
        lost = 0

        def __init__(self, *given):
            self._given, self._rows_of = given[3:5], given[5]

        def judged(self, shards):
            worker = Worker()
            came = worker.ready(*self._given)
            for shard in reversed(shards):  # in any order
                came = came if isinstance(came, Failed) else worker.judge(self._rows_of(shard), shard.before)
                if isinstance(came, Failed):
                    raise risen(came)
                numbers.append(shard.number)
                yield shard, came

    class Room:
        def room_for(self, _workers):
            return 2

    @contextmanager
    def joined(_workers):
        yield Room()

    monkeypatch.setattr(scoring, "joined", joined)
    monkeypatch.setattr(scoring, "Pool", Inline)
    return numbers


@pytest.fixture
def judge(quick_file, scans):
    """Judge scans into a place: `judge(out, scans=..., keeping=..., workers=...)`."""

    def run(out, scans=scans, keeping=SMALL, workers=HERE, model=quick_file, **options):
        maker = maker_of(Screener.load(model), model)
        return score_to_parts(model, maker, scans, out, workers, keeping, **options)

    return run


@pytest.fixture(scope="session")
def rows_of():
    """Return the rows of a table, partitioned or one file, sorted by the scan's name."""

    def read(place: Path, table: str = "findings") -> list[dict]:
        name = {"findings": "name", "regions": "scan"}.get(table, "volume")
        whole = place / f"{table}.parquet"
        files = [whole] if whole.exists() else sorted((place / table).glob("*.parquet"))
        rows = [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]
        return sorted(rows, key=lambda row: (row[name], row.get("rank", 0)))

    return read


@pytest.fixture(scope="session")
def store() -> Iterator[str]:
    """An S3 server on this machine with a bucket `archive`; the environment tells where, and credentials."""
    moto = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("archive")
        yield f"http://127.0.0.1:{port}"
        s3fs.S3FileSystem.clear_instance_cache()
    server.stop()
