"""What runs on the nodes: one Screener, loaded once, that judges shards and hands their tables back."""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from atypia.atomic import not_written
from atypia.errors import AtypiaError, CorruptArtefact, OutputError
from atypia.onnx_session import DEVICE
from atypia.reading.row import Row
from atypia.scratch import Scratch
from atypia.screener import Screener
from atypia.screening.child import OUT_OF_MEMORY
from atypia.screening.failed import Failed, failed
from atypia.screening.of_shard import Asked, judge_shard
from atypia.screening.order import Order


@dataclass(frozen=True)
class Judged:
    """What came of a shard: its Parquet tables by name, its counts as data, and the seconds it took."""

    tables: dict[str, bytes]
    counts: dict[str, Any]
    seconds: float


class Worker:
    """Holds one loaded Screener. Its methods return a Failed in place of raising an error of ours."""

    def __init__(self) -> None:
        self._asked: Asked | None = None

    def ready(self, model: bytes, order: Order) -> dict[str, str] | Failed:
        """Load the Screener and return the versions that scores depend on."""
        os.environ[DEVICE] = order.device
        try:
            self._asked = _asked(model, order)
        except (OutputError, OSError, MemoryError) as error:
            return _short_of(error)
        except AtypiaError as error:
            return failed(error)
        return versions()

    def judge(self, rows: Sequence[Row], before: int) -> Judged | Failed:
        """Judge the rows of a shard; `before` is the number of volumes before them."""
        assert self._asked is not None, "it is ready first"
        began = time.perf_counter()
        try:
            with Scratch() as name:
                folder = Path(name)
                counts = judge_shard(self._asked, rows, folder, "parquet", before=before, ticks=iter(()))
                tables = {file.stem: file.read_bytes() for file in sorted(folder.glob("*.parquet"))}
        except (OutputError, OSError, MemoryError) as error:
            return _short_of(error)
        except AtypiaError as error:
            return failed(error)
        return Judged(tables, counts.to_dict(), time.perf_counter() - began)


def _short_of(error: OutputError | OSError | MemoryError) -> Failed:
    """Return what tells of a node whose disk is full; end where memory is short: another may have more."""
    if isinstance(error, MemoryError):
        os._exit(OUT_OF_MEMORY)
    told = error if isinstance(error, OutputError) else not_written(Path(tempfile.gettempdir()), error)
    return failed(OutputError(f"On the node {platform.node()}: {told}"))


def versions() -> dict[str, str]:
    """Return what must be the same everywhere for scores to be the same to the last bit."""
    import onnxruntime

    names = ("atypia", "numpy", "scipy", "pillow")
    told = {name: version(name) for name in names}
    return {**told, "onnxruntime": onnxruntime.__version__, "machine": platform.machine()}


def _asked(model: bytes, order: Order) -> Asked:
    if hashlib.sha256(model).hexdigest() != order.sha256:
        raise CorruptArtefact("A worker received other bytes than those of the Screener. Run the job again.")
    with Scratch() as folder:
        file = Path(folder, "screener.atypia")
        file.write_bytes(model)
        screener = Screener.load(file)
    return order.asked_of(screener)
