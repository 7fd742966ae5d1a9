"""The four kinds of tumour: how each grows, and how its parts look in each sequence."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Growth:
    """How a kind of tumour grows; lengths in mm, shares in units of its radius.

    `radius` of the core; `waviness` and `roughness` of its edge, and the `edge`'s softness;
    `push` is how far it displaces the brain; `oedema` is how far the swelling reaches beyond the core;
    `ring` is the chance of a dead centre inside a rim, `crossing` that of growing over the midline.
    """

    radius: Range
    waviness: float
    roughness: float
    edge: Range
    push: Range
    oedema: Range
    ring: float
    crossing: float
    frequency: float


GROWTH = {
    "glioblastoma": Growth(
        radius=(12, 27), waviness=0.2, roughness=0.14, edge=(1.0, 2.0), push=(0.25, 0.5),
        oedema=(0.5, 1.3), ring=1.0, crossing=0.15, frequency=0.4,
    ),
    "low-grade-glioma": Growth(
        radius=(11, 26), waviness=0.24, roughness=0.17, edge=(2.5, 5.0), push=(0.1, 0.3),
        oedema=(0.0, 0.35), ring=0.0, crossing=0.05, frequency=0.25,
    ),
    "metastasis": Growth(
        radius=(4.5, 13), waviness=0.12, roughness=0.08, edge=(0.9, 1.8), push=(0.1, 0.3),
        oedema=(0.5, 2.4), ring=0.7, crossing=0.0, frequency=0.2,
    ),
    "meningioma": Growth(
        radius=(9, 20), waviness=0.08, roughness=0.06, edge=(0.9, 1.6), push=(0.45, 0.7),
        oedema=(0.0, 0.6), ring=0.0, crossing=0.0, frequency=0.15,
    ),
}  # fmt: skip
"""Chances and sizes as in textbooks of neuroradiology, by eye; `frequency` is the share of each kind."""

TUMOUR_KINDS = tuple(GROWTH)


@dataclass(frozen=True)
class Palette:
    """The signal of each part, as a multiple of the median of the healthy brain in the same image."""

    necrosis: float
    rim: float
    viable: float
    oedema: float
    blood: float
    fluid: float
    solid: dict[str, float]


PALETTES = {
    "T1": Palette(
        necrosis=0.45, rim=0.82, viable=0.72, oedema=0.76, blood=1.35, fluid=0.3,
        solid={"low-grade-glioma": 0.62, "metastasis": 0.7, "meningioma": 0.84},
    ),
    "T1c": Palette(
        necrosis=0.42, rim=1.5, viable=0.8, oedema=0.76, blood=1.35, fluid=0.3,
        solid={"low-grade-glioma": 0.64, "metastasis": 1.35, "meningioma": 1.45},
    ),
    "T2": Palette(
        necrosis=2.0, rim=1.25, viable=1.45, oedema=1.75, blood=0.5, fluid=2.0,
        solid={"low-grade-glioma": 1.75, "metastasis": 1.45, "meningioma": 1.25},
    ),
    "FLAIR": Palette(
        necrosis=0.8, rim=1.55, viable=1.4, oedema=1.62, blood=0.7, fluid=0.3,
        solid={"low-grade-glioma": 1.55, "metastasis": 1.45, "meningioma": 1.3},
    ),
}  # fmt: skip
