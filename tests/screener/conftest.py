"""Folders and lists of heads, and a detector that is quick because it only looks at brightness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from atypia.detectors import DETECTORS, Batch, Detector, FitContext, Nearest, PreparedSet, Scores, State
from atypia.preparation import Preparation
from atypia.reading.collection import Collection, Row
from atypia.scan import Scan
from atypia.screener import Screener


class Brightness(Detector):
    """Scores by the brightest pixels, as multiples of what is usual; remembers how it was fitted."""

    name: ClassVar[str] = "brightness"

    def __init__(self) -> None:
        self.usual = 1.0
        self.seen: np.ndarray | None = None
        self.context: FitContext | None = None

    def fit(self, healthy: PreparedSet, context: FitContext):
        self.seen = healthy.batch(np.arange(len(healthy))).pixels
        self.usual, self.context = float(self.seen.mean()), context
        return self

    def score(self, batch: Batch) -> Scores:
        heat = (batch.pixels / self.usual * batch.foreground).astype(np.float32)
        return Scores(heat.mean(axis=(1, 2), dtype=np.float64), heat)

    def state(self) -> State:
        return State({"usual": self.usual}, {"usual": np.array([self.usual])})

    @classmethod
    def from_state(cls, state: State, threads: int | None = None):
        del threads
        made = cls()
        made.usual = state.parameters["usual"]
        return made


@pytest.fixture(autouse=True)
def brightness(monkeypatch) -> type[Brightness]:
    monkeypatch.setitem(DETECTORS, "brightness", Brightness)
    return Brightness


@pytest.fixture
def make(brightness) -> Callable[..., Screener]:
    """`make(rule=...)` returns a quick Screener that has not been fitted."""
    return lambda **settings: Screener(brightness(), Preparation(size=32), **settings)


@pytest.fixture(scope="session")
def scans(draw_heads) -> list[Scan]:
    """Thirty healthy heads of sizes that differ, in groups of three."""
    pixels, _ = draw_heads(30, size=48)
    return [
        Scan(np.pad(200 * head, ((n % 3, 5), (n % 7, 0))), f"{n:02}", group=f"patient {n // 3}")
        for n, head in enumerate(pixels)
    ]


@pytest.fixture(scope="session")
def folder(scans, tmp_path_factory) -> Collection:
    """The same heads as PNG files."""
    root = tmp_path_factory.mktemp("healthy")
    rows = []
    for scan in scans:
        path = root / f"{scan.name}.png"
        Image.fromarray(np.uint8(scan.pixels)).save(path)
        rows.append(Row(path, path.name, label="normal", group=scan.group))
    return Collection(tuple(rows), str(root))


@pytest.fixture
def spoil(tmp_path) -> Callable[[Collection, set[int]], Collection]:
    """`spoil(collection, places)` puts a file that is no picture at these places."""

    def change(collection: Collection, places: set[int]) -> Collection:
        bad: Path = tmp_path / "bad.png"
        bad.write_text("no picture")
        rows = (replace(row, path=bad) if n in places else row for n, row in enumerate(collection))
        return replace(collection, rows=tuple(rows))

    return change


@pytest.fixture(scope="session")
def nearest(folder) -> Screener:
    """A real Screener, fitted; it is not to be changed."""
    detector = Nearest("efficientnet-lite0", components=8, threads=1)
    return Screener(detector, Preparation(size=64)).fit(folder, seed=1)
