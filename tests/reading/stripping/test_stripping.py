"""Taking the skull off a head of shells, in several contrasts, spacings and units, and by tools (fakes)."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from atypia.errors import BadOption, MissingTool, UnreadableScan
from atypia.reading.cutting import STRIPPING
from atypia.reading.stripping import brain_mask, check_method, mask_by_tool, strip
from atypia.reading.stripping.tools import TOOLS
from atypia.reading.volume import Volume

Put = Callable[[str, str], None]

# Signals of fluid, grey matter, white matter, muscle and fat.
CONTRASTS = {
    "T1": (0.15, 0.55, 0.85, 0.45, 1.1),
    "T2": (1.0, 0.6, 0.42, 0.25, 0.8),
    "FLAIR": (0.1, 0.7, 0.55, 0.4, 0.7),
}


def head(
    contrast: str = "T1", spacing: tuple[float, float, float] = (3.0, 3.0, 3.0), *, scalp: bool = True
) -> tuple[Volume, NDArray[np.bool_]]:
    """Return a head of shells around an egg of a brain, and the brain."""
    fluid, grey, white, muscle, fat = CONTRASTS[contrast]
    rng = np.random.default_rng(0)
    axes = [np.arange(-half, half, step) for half, step in zip((99, 120, 96), spacing, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    out = (np.sqrt((x / 66) ** 2 + (y / 84) ** 2 + (z / 62) ** 2) - 1) * 68
    brain = out < 0
    values = np.select(
        [out < -20, out < -3, brain, out < 6, out < 10, out < 16],
        [white, grey, fluid, 0.04, muscle, fat],
    )
    ventricles = np.hypot(x / 14, y / 26) + np.abs(z) / 20 < 1
    values[ventricles] = fluid
    if not scalp:
        values[~brain] = 0
    values = values * (1 + 0.1 * x / 99) + 0.02 * rng.random(values.shape)
    affine = np.diag([*spacing, 1.0])
    return Volume((values * 400).astype(np.float32), affine, "head.nii.gz"), brain


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.mark.parametrize("spacing", [(3.0, 3.0, 3.0), (2.0, 2.0, 6.0)], ids=["even", "thick"])
@pytest.mark.parametrize("contrast", CONTRASTS)
def test_the_brain_is_found_in_every_contrast(contrast: str, spacing: tuple[float, float, float]) -> None:
    volume, brain = head(contrast, spacing)
    found = brain_mask(volume)
    assert found.shape == brain.shape
    assert dice(found, brain) > 0.93


def test_of_a_volume_without_a_scalp_the_brain_stays_whole() -> None:
    volume, brain = head(scalp=False)
    found = brain_mask(volume)
    assert np.count_nonzero(brain & ~found) < 0.04 * np.count_nonzero(brain)


@pytest.mark.parametrize(("scale", "offset"), [(0.01, 0.0), (1.0, -300.0), (7.0, 1000.0)])
def test_units_do_not_matter(scale: float, offset: float) -> None:
    volume, _ = head()
    moved = Volume((volume.pixels * scale + offset).astype(np.float32), volume.affine, "moved")
    assert dice(brain_mask(volume), brain_mask(moved)) > 0.999


@pytest.mark.parametrize("kind", ["empty", "noise", "small"])
def test_where_there_is_no_brain_it_says_so(kind: str) -> None:
    shape = (40, 48, 40)
    values = {
        "empty": np.zeros(shape),
        "noise": np.random.default_rng(0).random(shape),
        "small": np.pad(np.ones((8, 8, 8)), [(16, 16), (20, 20), (16, 16)]),
    }[kind]
    volume = Volume(values.astype(np.float32), np.diag([1.0, 1, 1, 1]), "odd.nii.gz")
    with pytest.raises(UnreadableScan, match=r"odd\.nii\.gz: expected a .*--strip"):
        brain_mask(volume)


def test_what_is_stripped_holds_the_brain_alone_and_tells_how_much() -> None:
    volume, brain = head()
    stripped = strip(volume, "built-in")
    kept = stripped.pixels > stripped.pixels.min()
    assert dice(kept, brain) > 0.93
    assert np.array_equal(stripped.pixels[kept], volume.pixels[kept])
    assert "skull taken off (built-in)" in stripped.notes[-1]
    assert strip(volume, "none") is volume


def test_unknown_and_missing_tools_are_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(BadOption, match=r"none, built-in, synthstrip, hd-bet, deepbet.*'bet'"):
        check_method("bet")
    monkeypatch.setenv("PATH", str(tmp_path))
    for method in STRIPPING[2:]:
        with pytest.raises(MissingTool, match=r"not on the PATH.*built-in"):
            check_method(method)


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Put:
    """Put a program in the place of a tool's: it does what a line of Python says with `image` and `out`."""

    def put(name: str, line: str) -> None:
        program = tmp_path / name
        program.write_text(
            f"#!{sys.executable}\n"
            "import sys, nibabel, numpy as np\n"
            "source, out = sys.argv[sys.argv.index('-i') + 1], sys.argv[sys.argv.index('-o') + 1]\n"
            "image = nibabel.load(source); values = np.asarray(image.dataobj)\n"
            f"{line}\n"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path))

    return put


@pytest.mark.parametrize(
    ("method", "name"), [("synthstrip", "mri_synthstrip"), ("hd-bet", "hd-bet"), ("deepbet", "deepbet-cli")]
)
def test_a_tool_is_given_the_head_and_its_brain_taken(
    tool: Callable[[str, str], None], method: str, name: str
) -> None:
    tool(name, "values[: values.shape[0] // 2] = 0; nibabel.save(type(image)(values, image.affine), out)")
    volume, _ = head(spacing=(6.0, 6.0, 6.0))
    mask = mask_by_tool(volume, method)
    half = volume.pixels.shape[0] // 2
    assert not mask[:half].any()
    assert mask[half:].all()  # also where the head is darkest


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("sys.exit('no licence')", "no licence"),
        ("pass", "no volume that can be read"),
        ("nibabel.save(type(image)(values[:3], image.affine), out)", r"a brain of \(3"),
        ("nibabel.save(type(image)(values * 0, image.affine), out)", "an empty brain"),
    ],
)
def test_a_tool_that_fails_costs_its_volume_alone(
    tool: Callable[[str, str], None], line: str, told: str
) -> None:
    tool("hd-bet", line)
    volume, _ = head(spacing=(6.0, 6.0, 6.0))
    with pytest.raises(UnreadableScan, match=f"head.nii.gz: expected a brain from hd-bet, received {told}"):
        mask_by_tool(volume, "hd-bet")


def test_every_tool_has_a_command() -> None:
    assert STRIPPING[2:] == tuple(TOOLS)
