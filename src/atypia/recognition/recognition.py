"""The plane and the sequence of a slice, each with how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from atypia.errors import UnreadableScan
from atypia.preparation import Preparation
from atypia.preparation.foreground import find_foreground
from atypia.preparation.prepared import Prepared
from atypia.recognition.classifier import Vector, load_classifier
from atypia.recognition.contrast_features import contrast_features
from atypia.recognition.plane_features import plane_features
from atypia.scan import Scan

PLANES = ("axial", "coronal", "sagittal")
SEQUENCES = ("T1", "T2", "FLAIR")
SURE = 0.9

_PREPARATION = Preparation(size=128)
# What a slice without a mid-line is called, and how sure that is: a few axial ones have none that is sure.
_WITHOUT_MIDLINE = ("sagittal", 0.9)


@dataclass(frozen=True)
class Recognised:
    """The likeliest plane, out of PLANES, and sequence, out of SEQUENCES, with their probabilities in (0, 1].

    T1 stands for contrast-enhanced T1 as well.
    """

    plane: str
    plane_confidence: float
    sequence: str
    sequence_confidence: float

    @property
    def sure_plane(self) -> str | None:
        """The plane where it is sure, else None."""
        return self.plane if self.plane_confidence >= SURE else None


def recognise(scan: Scan) -> Recognised:
    """Say how a slice was taken by what it shows; raise UnreadableScan where it shows nothing.

    A slice without a mid-line is called sagittal; axial and coronal are told apart by a classifier that was
    learned from rendered heads. The sequence is told badly: see `benchmarks/recognition.py`.
    """
    prepared = _PREPARATION(scan)
    foreground = find_foreground(scan.pixels)
    if foreground is None:
        raise UnreadableScan(scan.path or scan.name, "a head that differs from its background", "no contrast")
    plane = _plane(prepared, plane_features(foreground, prepared))
    sequence = load_classifier("sequence")(contrast_features(prepared))
    return Recognised(*plane, *sequence)


def _plane(prepared: Prepared, features: Vector) -> tuple[str, float]:
    """Return the likeliest plane and its probability."""
    if not prepared.upright:
        return _WITHOUT_MIDLINE
    odds = load_classifier("plane").probabilities(features)
    axial = odds["axial"] / (odds["axial"] + odds["coronal"])
    return ("axial", axial) if axial >= 0.5 else ("coronal", 1 - axial)
