"""One head: how the template is bent, and how a slice is cut through it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from atypia.datasets.phantom.fields import smooth_field, smoothstep
from atypia.datasets.phantom.template import Template
from atypia.scan import Image

SIZE = 224
"""Rows and columns of a phantom; a pixel is nominally 1 mm."""
SHAPE = (SIZE, SIZE)
MIDDLE = -17.0
"""Where the middle of the brain lies in MNI space, in mm in front of the anterior commissure."""


@dataclass(frozen=True, eq=False)
class Pose:
    """Everything in which one head, and the slice cut through it, differs from the template.

    `height` (mm above the commissures) and `tilt` (slopes) place the plane; `rotation` is in radians,
    `scale` a factor, `shift` in pixels, each as (x, y) where there are two; `thickness` is that of the
    slice in mm; `warp` is three fields in mm that bend the head; `ventricles` is by how much they are
    widened; `age` is how far the brain has shrunk, about -0.3 (young) to 1.3 (old).
    """

    height: float
    tilt: tuple[float, float]
    rotation: float
    scale: tuple[float, float]
    shift: tuple[float, float]
    mirrored: bool
    thickness: float
    warp: tuple[Image, Image, Image]
    ventricles: float
    age: float


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A slice through one head, each field float32 (224, 224).

    `layers` are the normalised T1 of the thin slices whose mean is the thick one.
    `depth` is the distance below the inner table of the skull in mm, negative outside.
    `x`, `y`, `z` tell where in MNI space each pixel comes from, in mm.
    """

    layers: tuple[Image, ...]
    depth: Image
    x: Image
    y: Image
    z: Image

    @property
    def t1(self) -> Image:
        """The normalised T1 of the thick slice."""
        return np.asarray(np.mean(self.layers, axis=0), np.float32)


def draw_pose(rng: np.random.Generator) -> Pose:
    """Draw a head and a slice between the basal ganglia and the centrum semiovale."""
    age = float(np.clip(rng.normal(0.3, 0.45), -0.3, 1.3))
    size = np.clip(rng.normal(1, 0.05) * rng.normal(1, 0.04, 2), 0.86, 1.05)
    return Pose(
        height=float(rng.uniform(3, 46)),
        tilt=_pair(np.tan(np.deg2rad(rng.normal(0, 4, 2)))),
        rotation=float(np.deg2rad(rng.normal(0, 4.5))),
        scale=_pair(size),
        shift=_pair(np.clip(rng.normal(0, 4, 2), -8, 8)),
        mirrored=bool(rng.random() < 0.5),
        thickness=float(rng.choice([1, 3, 5], p=[0.25, 0.4, 0.35])),
        warp=_draw_warp(rng),
        ventricles=float(np.clip(rng.normal(0.02, 0.1) + 0.14 * age, -0.22, 0.32)),
        age=age,
    )


def cut_slice(template: Template, pose: Pose, displacement: tuple[Image, Image] | None = None) -> Anatomy:
    """Cut the slice that a pose describes; `displacement` (rows, columns) shifts where to look, in pixels."""
    x, y, z = _positions(pose, displacement)
    steps = {1: (0.0,), 3: (-1.0, 0.0, 1.0), 5: (-2.1, -0.7, 0.7, 2.1)}[round(pose.thickness)]
    cuts = [template.sample(x, y, z + np.float32(step)) for step in steps]
    layers = tuple(_widen_sulci(t1, pose.age) for t1, _ in cuts)
    depth = np.asarray(np.mean([depth for _, depth in cuts], axis=0), np.float32)
    return Anatomy(layers, depth, x, y, z)


def _pair(values: np.ndarray) -> tuple[float, float]:
    return float(values[0]), float(values[1])


@lru_cache(maxsize=1)
def centred_grid() -> tuple[Image, Image]:
    """Return the row and the column of every pixel, counted from the middle of the picture."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) - np.float32(SIZE / 2)
    return rows, columns


def _draw_warp(rng: np.random.Generator) -> tuple[Image, Image, Image]:
    """Draw a smooth bending of the whole head, and a finer one that leaves skull and scalp smooth."""
    rows, columns = centred_grid()
    within = 1 - smoothstep(np.hypot(columns / 72, rows / 88), 0.7, 0.96)
    broad, fine = rng.uniform(0.8, 2.2), rng.uniform(0.5, 1.1)

    def in_plane() -> Image:
        bend = broad * smooth_field(rng, SHAPE, 80)
        detail = 0.6 * broad * smooth_field(rng, SHAPE, 30) + fine * smooth_field(rng, SHAPE, 14)
        return np.asarray(bend + detail * within, np.float32)

    through = rng.uniform(0.5, 2) * smooth_field(rng, SHAPE, 70)
    through = through + rng.uniform(0.8, 2.2) * smooth_field(rng, SHAPE, 24) * within
    return in_plane(), in_plane(), np.asarray(through, np.float32)


def _positions(pose: Pose, displacement: tuple[Image, Image] | None) -> tuple[Image, Image, Image]:
    """Map every pixel to MNI space."""
    rows, columns = centred_grid()
    if displacement is not None:
        rows, columns = rows + displacement[0], columns + displacement[1]
    rows, columns = rows - np.float32(pose.shift[1]), columns - np.float32(pose.shift[0])
    cosine, sine = np.float32(np.cos(pose.rotation)), np.float32(np.sin(pose.rotation))
    x = np.asarray((cosine * columns + sine * rows) / pose.scale[0], np.float32)
    y = np.asarray((sine * columns - cosine * rows) / pose.scale[1], np.float32)
    if pose.mirrored:
        x = -x
    x, y = x + pose.warp[0], y + pose.warp[1]
    # Zooming in around the ventricles widens them and thins what lies around them.
    zoom = np.float32(pose.ventricles) * np.exp(-(((x / 26) ** 2 + (y / 38) ** 2) ** np.float32(1.2)))
    x, y = x * (1 - zoom), y * (1 - np.float32(0.6) * zoom)
    z = np.float32(pose.height) + x * np.float32(pose.tilt[0]) + y * np.float32(pose.tilt[1]) + pose.warp[2]
    return x, y + np.float32(MIDDLE), z


def _widen_sulci(t1: Image, age: float) -> Image:
    """Let the cortex of an older brain give way to fluid."""
    if age <= 0:
        return t1
    loss = np.float32(0.1 * age) * (1 - smoothstep(t1, 0.5, 0.78))
    return np.where(t1 > 0.12, np.maximum(t1 - loss, 0.1), t1)
