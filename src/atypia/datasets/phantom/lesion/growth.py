"""Where a lesion grows, in what shape, and how it pushes the brain aside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from atypia.datasets.phantom.fields import fractal_field, smooth_field, smoothstep
from atypia.datasets.phantom.lesion.kinds import GROWTH, Growth
from atypia.datasets.phantom.lesion.tissues import Tissues
from atypia.scan import Image


@dataclass(frozen=True, eq=False)
class Lesion:
    """One lesion, before it has any signal.

    `centre` is (row, column); `radius`, `edge` (softness of the core's edge) and `push` (how far the brain
    is displaced at most) are in pixels. `core` and `oedema` are float32 (H, W) level sets in units of the
    radius: negative inside, 0 at the edge. `swollen`, `ring`, `bled` and `cystic` say what it has.
    """

    kind: str
    centre: tuple[int, int]
    radius: float
    edge: float
    push: float
    core: Image
    oedema: Image
    swollen: bool
    ring: bool
    bled: bool
    cystic: bool


def grow_lesions(
    rng: np.random.Generator, tissues: Tissues, kind: str, pixels_per_mm: float = 1.0
) -> tuple[Lesion, ...]:
    """Place and shape the lesions of one patient: one tumour, or one to three metastases."""
    count = 1 + int(rng.choice(3, p=[0.6, 0.25, 0.15])) if kind == "metastasis" else 1
    return tuple(_grow(rng, tissues, kind, pixels_per_mm) for _ in range(count))


def displacement(lesions: tuple[Lesion, ...], tissues: Tissues) -> tuple[Image, Image]:
    """Return where each pixel's tissue was before the lesions grew, as steps in rows and columns, in pixels.

    Tissue moves away from each centre, most at its edge, less far from it, and not at all at the skull.
    """
    rows = np.zeros(tissues.brain.shape, np.float32)
    columns = np.zeros_like(rows)
    held = smoothstep(tissues.depth, 0, 9)
    for lesion in lesions:
        down, right, distance = _offsets(lesion.centre, rows.shape)
        rise = distance / (distance + np.float32(0.6 * lesion.radius))
        fall = np.exp(-((distance / np.float32(2.6 * lesion.radius)) ** 2))
        hold = np.maximum(held, 0.25) if lesion.kind == "meningioma" else held
        size = np.float32(1.4 * lesion.push) * rise * fall * hold / distance
        rows -= size * down
        columns -= size * right
    return rows, columns


def _grow(rng: np.random.Generator, tissues: Tissues, kind: str, pixels_per_mm: float) -> Lesion:
    """Draw one lesion."""
    growth = GROWTH[kind]
    radius = min(rng.uniform(*growth.radius) * pixels_per_mm, 0.6 * float(tissues.depth.max()))
    centre = _place(rng, tissues, kind, radius)
    crossing = rng.random() < growth.crossing
    distance = _wavy_distance(rng, growth, centre, radius, tissues.brain.shape)
    reach = rng.uniform(*growth.oedema)
    ragged = fractal_field(rng, tissues.brain.shape, max(8, radius), 4)
    beyond = _beyond_midline(tissues, centre)
    rough = growth.roughness * fractal_field(rng, tissues.brain.shape, max(6, 0.8 * radius))
    return Lesion(
        kind=kind,
        centre=centre,
        radius=radius,
        edge=rng.uniform(*growth.edge) * pixels_per_mm,
        push=rng.uniform(*growth.push) * radius,
        core=distance
        - 1
        + rough * np.clip(distance, 0.3, 1.3)
        + (0 if crossing else 3 * beyond / np.float32(radius)),
        # Swelling creeps over the midline, but ever less: a rounded end, where a cut would look drawn.
        oedema=distance - 1 - np.float32(reach) + 0.3 * ragged + 1.2 * beyond / np.float32(max(radius, 16)),
        swollen=reach > 0.08,
        ring=rng.random() < growth.ring and radius > 6 * pixels_per_mm,
        bled=rng.random() < 0.12 and kind != "meningioma",
        cystic=rng.random() < 0.35,
    )


def _place(rng: np.random.Generator, tissues: Tissues, kind: str, radius: float) -> tuple[int, int]:
    """Draw a centre: a meningioma's just below the skull, any other's at least so deep that it fits."""
    if kind == "meningioma":
        allowed = tissues.parenchyma & (tissues.depth > 0.45 * radius) & (tissues.depth < 0.8 * radius)
    else:
        allowed = tissues.parenchyma & (tissues.depth > max(4, 0.8 * radius))
    if not allowed.any():
        allowed = tissues.depth >= 0.5 * tissues.depth.max()
    row, column = divmod(int(rng.choice(np.flatnonzero(allowed))), allowed.shape[1])
    return row, column


def _offsets(centre: tuple[int, int], shape: tuple[int, ...]) -> tuple[Image, Image, Image]:
    """Return each pixel's offset from a centre, down and right, and its distance, never 0."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    down, right = rows - np.float32(centre[0]), columns - np.float32(centre[1])
    return down, right, np.hypot(down, right) + np.float32(1e-3)


def _wavy_distance(
    rng: np.random.Generator, growth: Growth, centre: tuple[int, int], radius: float, shape: tuple[int, int]
) -> Image:
    """Return the distance to the centre in units of the radius, on a plane that is stretched and bent."""
    down, right, _ = _offsets(centre, shape)
    angle, flatness = rng.uniform(0, np.pi), rng.uniform(0.6, 1.0)
    size = np.float32(growth.waviness * radius)

    def bend() -> Image:
        scales = ((1.0, 0.75, 4), (0.5, 0.38, 3), (0.22, 0.17, 2))
        waves = [
            height * smooth_field(rng, shape, max(least, share * radius)) for height, share, least in scales
        ]
        return np.asarray(size * (waves[0] + waves[1] + waves[2]), np.float32)

    down, right = down + bend(), right + bend()
    along = np.float32(np.cos(angle)) * right + np.float32(np.sin(angle)) * down
    across = np.float32(np.cos(angle)) * down - np.float32(np.sin(angle)) * right
    stretched = np.sqrt(along**2 * flatness + across**2 / flatness) / radius
    return np.asarray(stretched, np.float32)


def _beyond_midline(tissues: Tissues, centre: tuple[int, int]) -> Image:
    """Return how many pixels each place lies beyond the falx, seen from the lesion; 0 where none is near."""
    if tissues.side is None or abs(tissues.side[centre]) < 3:
        return np.zeros_like(tissues.brain)
    return np.asarray(np.clip(2.5 - tissues.side * np.sign(tissues.side[centre]), 0, None), np.float32)
