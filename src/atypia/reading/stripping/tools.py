"""Other tools that find the brain in a volume, run as programs where they are installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.errors import MissingTool, UnreadableScan
from atypia.reading.volume import Volume
from atypia.scratch import Scratch

TOOLS: Mapping[str, tuple[str, ...]] = {
    "synthstrip": ("mri_synthstrip", "-i", "{input}", "-o", "{output}"),
    "hd-bet": ("hd-bet", "-i", "{input}", "-o", "{output}", "-device", "cpu", "--disable_tta"),
    "deepbet": ("deepbet-cli", "-i", "{input}", "-o", "{output}"),
}
"""Name -> its command; each reads a NIfTI file and writes the brain alone as another.

SynthStrip (Hoopes et al., NeuroImage 260 (2022) 119474) takes any sequence, HD-BET (Isensee et al., Human
Brain Mapping 40 (2019) 4952; version 2) T1, T2 and FLAIR, deepbet (Fisch et al., Computers in Biology and
Medicine 179 (2024) 108845) T1 alone.
"""

TIMEOUT = 1800
_LOWEST, _HIGHEST = 1.0, 1000.0


def mask_by_tool(volume: Volume, tool: str) -> NDArray[np.bool_]:
    """Let a tool out of `TOOLS` find the brain; return bool (I, J, K) on the volume's own grid.

    The tool sees the values moved to 1 to 1000, so that all that it leaves is brain; it gets files without
    the patient's name. Raises MissingTool where it is not installed, UnreadableScan where it fails, takes
    over half an hour, or gives another grid.
    """
    command = TOOLS[tool]
    program = program_of(tool)
    with Scratch() as folder:
        given, found = Path(folder, "head.nii.gz"), Path(folder, "brain.nii.gz")
        _write(volume, given)
        filled = [part.format(input=given, output=found) for part in command[1:]]
        _run(volume, tool, [program, *filled])
        return _read(volume, tool, found)


def program_of(tool: str) -> str:
    """Return where a tool's program lies; raise MissingTool where it is not installed."""
    name = TOOLS[tool][0]
    program = shutil.which(name)
    if program is None:
        raise MissingTool(
            f"Taking the skull off with {tool} needs its program {name}, which is not on the PATH. "
            "Install it, or choose --strip built-in."
        )
    return program


def _write(volume: Volume, path: Path) -> None:
    import nibabel

    low, high = float(volume.pixels.min()), float(volume.pixels.max())
    scale = (_HIGHEST - _LOWEST) / (high - low) if high > low else 0.0
    values = (volume.pixels - np.float32(low)) * np.float32(scale) + np.float32(_LOWEST)
    nibabel.save(nibabel.Nifti1Image(values, volume.affine), path)


def _run(volume: Volume, tool: str, command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(volume, tool, type(error).__name__) from error
    if done.returncode:
        told = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _failed(volume, tool, told[-1][:200] if told else f"exit code {done.returncode}")


def _read(volume: Volume, tool: str, path: Path) -> NDArray[np.bool_]:
    import nibabel

    try:
        image = nibabel.load(path)
        values = np.asarray(image.dataobj)
    except Exception as error:  # whatever the tool left there
        raise _failed(volume, tool, "no volume that can be read") from error
    if values.shape != volume.pixels.shape:
        raise _failed(volume, tool, f"a brain of {values.shape} for a head of {volume.pixels.shape}")
    mask = np.asarray(values > 0)
    if not mask.any():
        raise _failed(volume, tool, "an empty brain")
    return np.asarray(ndimage.binary_fill_holes(mask), bool)


def _failed(volume: Volume, tool: str, received: str) -> UnreadableScan:
    return UnreadableScan(
        volume.path or volume.name,
        f"a brain from {tool}",
        received,
        "Run it on this volume by itself to see why; or choose --strip built-in.",
    )
