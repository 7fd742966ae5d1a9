"""Images of one direction and size, sorted by where they lie, on the grid of one volume."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.errors import UnreadableScan
from atypia.reading.dicom.frame import Frame

Points = NDArray[np.float64]

_UNEVEN = 0.1  # of the distance of slices
MOST_MISSING = 0.2
_TILT_TOLD = 1.0  # degrees
_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_AGAIN = "Export the whole series again."


@dataclass(frozen=True, eq=False)
class Stack:
    """The images of a volume in order, and the place of each on its third axis.

    `affine` leads from (column, row, slice, 1) to mm right, anterior, superior. `depth` is how many slices
    the grid has; more than there are images where some are missing. `notes` tell what was odd.
    """

    frames: tuple[Frame, ...]
    places: tuple[int, ...]
    depth: int
    affine: NDArray[np.float64]
    notes: tuple[str, ...] = ()


def along_normal(frames: Sequence[Frame]) -> Points:
    """Return how far each image, (N,) in mm, lies along the normal of the first one's plane."""
    return _positions(frames) @ _normal(frames[0])


def to_stack(frames: Sequence[Frame]) -> Stack:
    """Sort images that share direction, size and spacing; no two may lie in one place.

    Missing slices, at most a fifth, leave gaps in `places`. A stack that leans (a tilted gantry) keeps its
    lean in the affine. Raises UnreadableScan where the images lie at uneven distances or not on one line.
    """
    lost = next((one for one in frames if None in (one.position, one.orientation, one.spacing)), None)
    if lost is not None:
        raise UnreadableScan(
            lost.path,
            "images that say where they lie in the patient",
            "a header without position, direction or spacing",
            "Export the series from the scanner or the archive again.",
        )
    order = np.argsort(along_normal(frames), kind="stable")
    frames = tuple(frames[index] for index in order)
    heights = along_normal(frames)
    places, notes = _places(frames[0].path, heights)
    step, leaning = _step(frames, places)
    return Stack(frames, places, places[-1] + 1, _affine(frames[0], step), (*notes, *leaning))


def _positions(frames: Sequence[Frame]) -> Points:
    return np.array([frame.position for frame in frames], np.float64)


def _normal(frame: Frame) -> Points:
    rows, columns = np.array(frame.orientation, np.float64).reshape(2, 3)
    normal = np.cross(rows, columns)
    length = float(np.linalg.norm(normal))
    if not math.isclose(length, 1, abs_tol=0.01):
        raise UnreadableScan(
            frame.path,
            "directions of rows and columns at right angles (0020,0037)",
            "others",
            "Export the series from the scanner or the archive again.",
        )
    return np.asarray(normal / length, np.float64)


def _places(path: Path, heights: Points) -> tuple[tuple[int, ...], list[str]]:
    """Return the place of each image on an even grid along the normal, and what was odd."""
    if len(heights) == 1:
        return (0,), ["a series of one slice"]
    steps = np.diff(heights)
    step = float(np.quantile(steps, 0.25, method="lower"))  # where a few are missing, as without
    multiples = np.rint(steps / step)
    if np.abs(steps - multiples * step).max() > _UNEVEN * step:
        raise UnreadableScan(
            path,
            "slices at even distances",
            f"distances from {steps.min():.2f} to {steps.max():.2f} mm",
            "If the series holds several stacks, export each as its own.",
        )
    places = (0, *(int(place) for place in np.cumsum(multiples)))
    missing = places[-1] + 1 - len(places)
    if missing > MOST_MISSING * (places[-1] + 1):
        raise UnreadableScan(
            path, "a whole series", f"{len(places)} slices where there is room for {places[-1] + 1}", _AGAIN
        )
    if not missing:
        return places, []
    absent = sorted(set(range(places[-1])) - set(places))
    return places, [f"{missing} of {places[-1] + 1} slices missing, left empty: {listed(absent)}"]


def listed(numbers: Sequence[int]) -> str:
    """Return the first few numbers as text."""
    return ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")


def _step(frames: Sequence[Frame], places: tuple[int, ...]) -> tuple[Points, list[str]]:
    """Return the way from slice to slice in mm (left, posterior, superior), and whether it leans."""
    normal = _normal(frames[0])
    if len(frames) == 1:
        return normal * (abs(frames[0].thickness or 0.0) or 1.0), []
    positions = _positions(frames)
    step = (positions[-1] - positions[0]) / places[-1]
    astray = np.linalg.norm(positions - positions[0] - np.outer(places, step), axis=1).max()
    spacing = frames[0].spacing or (1.0, 1.0)
    if astray > max(1.0, *spacing):
        raise UnreadableScan(
            frames[0].path, "slices that lie on one line", f"some that lie {astray:.1f} mm beside it", _AGAIN
        )
    cosine = min(1.0, float(step @ normal) / float(np.linalg.norm(step)))
    angle = math.degrees(math.acos(cosine))
    return step, [f"the slices lean by {angle:.1f} degrees"] if angle > _TILT_TOLD else []


def _affine(first: Frame, step: Points) -> NDArray[np.float64]:
    """Put together NIfTI's affine by PS3.3 C.7.6.2.1.1, with DICOM's left and posterior turned round."""
    rows, columns = np.array(first.orientation, np.float64).reshape(2, 3)
    between_rows, between_columns = first.spacing or (1.0, 1.0)
    affine = np.eye(4)
    affine[:3, 0] = rows * between_columns
    affine[:3, 1] = columns * between_rows
    affine[:3, 2] = step
    affine[:3, 3] = first.position
    return np.asarray(_FROM_LPS @ affine, np.float64)
