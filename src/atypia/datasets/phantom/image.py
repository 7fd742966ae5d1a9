"""One phantom from one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.datasets.phantom.anatomy import Anatomy, cut_slice, draw_pose
from atypia.datasets.phantom.contrast import SEQUENCES, brain_signal, tissues_of
from atypia.datasets.phantom.fields import smoothstep
from atypia.datasets.phantom.head import draw_head
from atypia.datasets.phantom.lesion import TUMOUR_KINDS, Tissues, displacement, grow_lesions, paint_lesions
from atypia.datasets.phantom.lesion.kinds import GROWTH
from atypia.datasets.phantom.scanner import acquire, print_window
from atypia.datasets.phantom.template import load_template
from atypia.errors import BadOption
from atypia.scan import Image, Mask

_SEQUENCE_SHARES = (0.25, 0.15, 0.3, 0.3)
_HEAD_SHARE = 0.7  # of the images keep skull and scalp; the others show the brain alone


@dataclass(frozen=True, eq=False)
class PhantomImage:
    """A synthetic axial slice of a head and the truth about it.

    `pixels` is uint8 (224, 224), nominally 1 mm a pixel, front up.
    `mask` is bool (224, 224): True in the lesion, its oedema included; all False in a healthy slice.
    `labels` is uint8 (224, 224): 0 healthy, 1 core or necrosis, 2 oedema, 4 enhancing or solid tumour.
    `sequence` is one of `SEQUENCES`, `kind` is `healthy` or one of `TUMOUR_KINDS`.
    """

    pixels: NDArray[np.uint8]
    mask: Mask
    labels: NDArray[np.uint8]
    sequence: str
    kind: str
    seed: int


@dataclass(frozen=True)
class _Streams:
    """One generator for each stage, so that a stage draws the same whatever another has drawn.

    That makes the abnormal image of a seed the twin of its healthy one: same head, same slice, same scanner.
    """

    choice: np.random.Generator
    pose: np.random.Generator
    lesion: np.random.Generator
    paint: np.random.Generator
    contrast: np.random.Generator
    head: np.random.Generator
    scanner: np.random.Generator
    window: np.random.Generator


def phantom_image(
    seed: int,
    *,
    abnormal: bool = False,
    sequence: str | None = None,
    kind: str | None = None,
    head: bool | None = None,
) -> PhantomImage:
    """Render one phantom; the same arguments give the same image, bit for bit.

    `sequence`, `kind` of tumour and whether the `head` is shown around the brain are drawn where not given.
    Raises BadOption for an unknown sequence or kind, or a negative seed, and MissingExtra without nilearn.
    """
    _check(seed, abnormal, sequence, kind)
    streams = _Streams(*(np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(8)))
    drawn_sequence = str(streams.choice.choice(SEQUENCES, p=_SEQUENCE_SHARES))
    drawn_head = bool(streams.choice.random() < _HEAD_SHARE)
    drawn_kind = str(streams.choice.choice(TUMOUR_KINDS, p=[growth.frequency for growth in GROWTH.values()]))
    return _render(
        streams,
        seed,
        sequence or drawn_sequence,
        (kind or drawn_kind) if abnormal else "healthy",
        drawn_head if head is None else head,
    )


def _check(seed: int, abnormal: bool, sequence: str | None, kind: str | None) -> None:
    if seed < 0:
        raise BadOption(f"seed: expected 0 or more, received {seed}.")
    if sequence is not None and sequence not in SEQUENCES:
        raise BadOption(f"sequence: expected one of {', '.join(SEQUENCES)}, received {sequence!r}.")
    if kind is not None and (kind not in TUMOUR_KINDS or not abnormal):
        raise BadOption(
            f"kind: expected one of {', '.join(TUMOUR_KINDS)} together with abnormal=True, received {kind!r}."
        )


def _render(streams: _Streams, seed: int, sequence: str, kind: str, head: bool) -> PhantomImage:
    template = load_template()
    pose = draw_pose(streams.pose)
    anatomy = cut_slice(template, pose)
    tissues = tissues_of(anatomy)
    lesions = () if kind == "healthy" else grow_lesions(streams.lesion, tissues, kind)
    if lesions:
        anatomy = cut_slice(template, pose, displacement(lesions, tissues))
        tissues = tissues_of(anatomy)
    signal = brain_signal(streams.contrast, anatomy, tissues, sequence, pose.age)
    white = _white_point(signal, tissues, sequence)
    labels = np.zeros(signal.shape, np.uint8)
    if lesions:
        painted = paint_lesions(streams.paint, signal, tissues, lesions, sequence)
        signal, labels = painted.image, painted.labels
    if head:
        signal = signal + draw_head(streams.head, anatomy, sequence)
    else:
        kept = _stripped(anatomy)
        signal, labels = signal * kept, labels * (kept > 0.5)
    pixels = print_window(streams.window, acquire(streams.scanner, signal), white)
    return PhantomImage(pixels, labels > 0, labels, sequence, kind, seed)


def _white_point(signal: Image, tissues: Tissues, sequence: str) -> float:
    """Return the signal that is printed white, from healthy tissue alone.

    If a bright tumour darkened the rest of its image, the mean grey value would give it away.
    """
    brightest = float(np.percentile(signal[tissues.brain > 0.5], 99.5))
    return max(brightest, 1.0 if sequence == "T1c" else 0.8)


def _stripped(anatomy: Anatomy) -> Image:
    """Return 1 where the brain is kept when the skull is taken away, along an edge as software draws it."""
    return smoothstep(ndimage.gaussian_filter(anatomy.depth, 2.0), -0.4, 1.2)
