"""What all tests share: a seeded generator, made-up heads, a small phantom with its Screener, an own cache.

Real scans come from a folder that the environment names.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, settings
from scipy.ndimage import gaussian_filter

# A busy machine makes no example wrong. Each time the same are tried; the profile `deep` looks further.
PATIENT: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("suite", max_examples=50, derandomize=True, **PATIENT)
settings.register_profile("deep", max_examples=2000, **PATIENT)
settings.load_profile("suite")

# What takes longest begins first, or one process would be left with it while the other idles.
LONGEST = (
    "tests/detectors/",
    "tests/cli/test_cli_fit.py",
    "tests/cluster/test_ray.py",
    "tests/service/page/test_page.py",
    "tests/test_demo.py",
    "tests/test_bad_input.py",
    "tests/networks/",
    "tests/encoders/test_keras_application.py",
    "tests/cli/",
    "tests/comparison/",
    "tests/service/",
)
# Files of these folders share fixtures that are dear to make: one process runs them all.
TOGETHER = ("tests/detectors/",)


def pytest_configure(config: pytest.Config) -> None:
    """Where Python may not keep what it compiled, let it do so beside pytest's cache.

    Else each of the many processes that the tests start would compile all that it imports anew.
    """
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        kept = config.rootpath / ".pytest_cache" / "compiled"
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(kept)
        sys.dont_write_bytecode = False


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep what was imported and collected out of the garbage collector's sight, for it stays to the end.

    Else each full collection walks through millions of objects, of TensorFlow above all, to find nothing.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first, and leave the order as it was among the others."""

    def place(item: pytest.Item) -> int:
        ranks = [rank for rank, path in enumerate(LONGEST) if item.nodeid.startswith(path)]
        return min(ranks, default=len(LONGEST))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out whole files in the order above, and some folders as if they were one file."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((path for path in TOGETHER if nodeid.startswith(path)), super()._split_scope(nodeid))

    config.option.loadscopereorder = False
    return Scheduling(config, log)


@pytest.fixture(scope="session")
def installed() -> Callable[[str], str]:
    """`installed(name)` is the way to a program of the system; the test is skipped where it is missing.

    What Python packages bring under the same name is passed over: pynetdicom has a `storescu` of its own.
    """
    ours = Path(sysconfig.get_path("scripts"))
    places = [place for place in os.environ.get("PATH", "").split(os.pathsep) if Path(place) != ours]

    def find(name: str) -> str:
        found = shutil.which(name, path=os.pathsep.join([*places, "/usr/sbin"]))
        if found is None:
            pytest.skip(f"{name} is not installed: see the apt-get line of README")
        return found

    return find


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scans; the test is skipped where it is missing."""
    here = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("ATYPIA_DATA", here.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real scans at {folder}: set ATYPIA_DATA to their folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the tests' features out of the user's cache, and the user's weights out of the tests."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATYPIA_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def draw_heads() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """`draw_heads(count, size, seed, lesion=0.0)` draws pixels (N, S, S) in [0, 1] and their foreground.

    A lesion is a disc that is so much brighter; without one the same seed gives the healthy twins.
    """

    def draw(count: int, size: int = 64, seed: int = 0, lesion: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        pairs = [_head(np.random.default_rng((seed, number)), size, lesion) for number in range(count)]
        return np.stack([pixels for pixels, _ in pairs]), np.stack([skull for _, skull in pairs])

    return draw


def _head(rng: np.random.Generator, size: int, lesion: float) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = (np.mgrid[:size, :size] + 0.5) / size - 0.5
    skull = (rows / rng.uniform(0.42, 0.47)) ** 2 + (columns / rng.uniform(0.34, 0.4)) ** 2 < 1
    brain = (rows / 0.38) ** 2 + (columns / 0.31) ** 2 < 1
    fluid = (rows / 0.12) ** 2 + ((np.abs(columns) - 0.05) / 0.03) ** 2 < 1
    texture = gaussian_filter(rng.normal(size=(size, size)), size / 16)
    pixels = 0.7 * skull - 0.3 * brain - 0.25 * fluid + 0.04 * texture / texture.std() * brain
    angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.2)
    disc = (rows - reach * np.sin(angle)) ** 2 + (columns - reach * np.cos(angle)) ** 2 < 0.09**2
    pixels = gaussian_filter(pixels + lesion * disc, 0.7) + rng.normal(0, 0.01, (size, size))
    return np.clip(pixels, 0, 1).astype(np.float32), skull


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code, and what it said on either stream."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def phantom_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of a small phantom: 40 healthy slices (24 train, 8 threshold, 8 test) and 8 with a tumour."""
    from atypia.datasets.phantom import write_phantom

    folder = tmp_path_factory.mktemp("data") / "phantom"
    write_phantom(folder, healthy=40, abnormal=8, seed=3, sequences=("FLAIR",))
    return folder / "table.csv"


@pytest.fixture(scope="session")
def atypia() -> Callable[..., Outcome]:
    """Run a command in this process: `atypia("score", model, folder, "-o", out)`."""
    from atypia.cli.main import commands

    def run(*words: object) -> Outcome:
        result = CliRunner().invoke(commands, [str(word) for word in words], prog_name="atypia")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture(scope="session")
def undrawn() -> Callable[[], AbstractContextManager[None]]:
    """Within `with undrawn():` figures are made as ever, but their files stay empty.

    For tests that look at no picture: to draw those of one report takes seconds.
    """

    @contextmanager
    def patched() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("matplotlib.figure.Figure.savefig", lambda _, file, **__: file.write(b""))
            yield

    return patched


@pytest.fixture
def without_drawing(undrawn: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """The test looks at no picture."""
    with undrawn():
        yield


@pytest.fixture(scope="session")
def nearest_file(
    atypia: Callable[..., Outcome], phantom_table: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A saved Screener that was fitted to the small phantom without training a network."""
    file = tmp_path_factory.mktemp("models") / "nearest.atypia"
    quick = ("--detector", "nearest", "--encoder", "efficientnet-lite0", "--size", 96)
    assert atypia("fit", phantom_table, "-o", file, *quick).code == 0
    return file


@pytest.fixture(scope="session")
def small_heads(draw_heads, tmp_path_factory) -> Path:
    """A folder of 25 healthy pictures of 32 pixels a side."""
    from PIL import Image

    root = tmp_path_factory.mktemp("small")
    for number, pixels in enumerate(draw_heads(25, size=32)[0]):
        Image.fromarray(np.uint8(255 * pixels)).save(root / f"{number:02}.png")
    return root


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """`disk("1m")` is a disk of so many bytes, `disk("1m", "ro")` one that is read-only.

    The test is skipped where no file system can be mounted.
    """
    places: list[Path] = []

    def mount(size: str, *options: str) -> Path:
        place = tmp_path / f"disk{len(places)}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "tmpfs", str(place)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("no file system can be mounted here: it needs the rights of root")
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", "-l", str(place)], check=True, capture_output=True)


@pytest.fixture(scope="session")
def quick_file(draw_heads, tmp_path_factory) -> Path:
    """A saved Screener that takes milliseconds for a scan."""
    from PIL import Image

    from atypia.detectors import Atlas
    from atypia.preparation import Preparation
    from atypia.reading.collection import read_collections
    from atypia.screener import Screener

    root = tmp_path_factory.mktemp("healthy")
    heads, _ = draw_heads(30, size=32)
    for number, pixels in enumerate(heads):
        Image.fromarray(np.uint8(255 * pixels)).save(root / f"{number:02}.png")
    file = tmp_path_factory.mktemp("quick") / "quick.atypia"
    screener = Screener(Atlas(), Preparation(size=32), rule="quantile", parameter=0.9, fitness=False)
    screener.fit(read_collections([root])).save(file)
    return file
