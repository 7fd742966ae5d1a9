"""A small set with everything wrong in it: copies across splits, a label too many, classes by source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from atypia.audit import Audit, audit_collection
from atypia.reading.collection import Collection, write_collection
from atypia.reading.row import Row


@dataclass(frozen=True)
class Flawed:
    """The collection, its table, and what was planted: the first image of each copy."""

    collection: Collection
    table: Path
    copies: dict[str, str]


def save(pixels: np.ndarray, path: Path, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)).save(path, **options)


def draw_people(count: int, size: int, seed: int, lesion: float = 0.0) -> np.ndarray:
    """Draw heads (N, S, S) in [0, 1] with insides of their own, so that none looks like a copy of another."""
    rows, columns = (np.mgrid[:size, :size] + 0.5) / size - 0.5
    drawn = []
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        head = (rows / rng.uniform(0.38, 0.47)) ** 2 + (columns / rng.uniform(0.3, 0.42)) ** 2 < 1
        inside = gaussian_filter(rng.normal(size=(size, size)), size / 14)
        disc = (rows - rng.uniform(-0.2, 0.2)) ** 2 + (columns - rng.uniform(-0.2, 0.2)) ** 2 < 0.1**2
        pixels = head * (0.45 + 0.15 * inside / inside.std() + lesion * disc)
        drawn.append(np.clip(pixels + rng.normal(0, 0.01, (size, size)), 0, 1))
    return np.stack(drawn).astype(np.float32)


@pytest.fixture(scope="session")
def people() -> Callable[..., np.ndarray]:
    """The function `draw_people(count, size, seed, lesion=0.0)`."""
    return draw_people


@pytest.fixture(scope="session")
def flawed(tmp_path_factory) -> Flawed:
    """60 scans: 40 healthy of 96x96 (28 train, 12 test), 20 ill of 128x128; copies, a conflict, bad files.

    h00 to h03 of train are in test again, mirrored or saved anew; i00 is labelled normal in train as well.
    """
    folder = tmp_path_factory.mktemp("flawed")
    healthy = draw_people(40, 96, seed=5)
    ill = draw_people(20, 128, seed=6, lesion=0.4)
    rows, copies = [], {}
    for n, pixels in enumerate(healthy):
        split = "train" if n < 28 else "test"
        if 36 <= n < 40:
            copies[f"h{n:02}.png"] = f"h{n - 36:02}.png"
            pixels = healthy[n - 36][:, ::-1] if n % 2 else healthy[n - 36] * 0.95
        save(pixels, folder / f"h{n:02}.png")
        rows.append(Row(folder / f"h{n:02}.png", f"h{n:02}.png", "normal", split))
    for n, pixels in enumerate(ill):
        save(pixels, folder / f"i{n:02}.png")
        rows.append(Row(folder / f"i{n:02}.png", f"i{n:02}.png", "abnormal", "test"))
    save(ill[0], folder / "j00.png")
    copies["j00.png"] = "i00.png"
    rows.append(Row(folder / "j00.png", "j00.png", "normal", "train"))
    (folder / "bad.png").write_bytes(b"")
    rows.append(Row(folder / "bad.png", "bad.png", "normal", "train"))
    collection = Collection(tuple(rows), str(folder / "table.csv"))
    write_collection(collection, folder / "table.csv")
    return Flawed(collection, folder / "table.csv", copies)


@pytest.fixture(scope="session")
def audited(flawed: Flawed) -> Audit:
    """The audit of the flawed set, strangers left out."""
    return audit_collection(flawed.collection, skip=["strangers"])


@pytest.fixture
def rows_of() -> Callable[..., list[Row]]:
    """`rows_of(split=[...], group=[...], label=[...])` makes rows without files."""

    def make(**columns: Sequence[str | None]) -> list[Row]:
        count = len(next(iter(columns.values())))
        given = [{name: values[n] for name, values in columns.items()} for n in range(count)]
        return [Row(Path(__file__), f"{n}.png", **values) for n, values in enumerate(given)]

    return make
