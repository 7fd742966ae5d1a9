"""The plane and the sequence of a slice, each with how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from atypia.errors import UnreadableScan
from atypia.preparation import Preparation
from atypia.preparation.foreground import find_foreground
from atypia.recognition.classifier import load_classifier
from atypia.recognition.contrast_features import contrast_features
from atypia.recognition.plane_features import plane_features
from atypia.scan import Scan

PLANES = ("axial", "coronal", "sagittal")
SEQUENCES = ("T1", "T2", "FLAIR")
SURE = 0.8

_PREPARATION = Preparation(size=128)


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

    The plane is told well, the sequence badly: see `benchmarks/recognition.py`.
    """
    prepared = _PREPARATION(scan)
    foreground = find_foreground(scan.pixels)
    if foreground is None:
        raise UnreadableScan(scan.path or scan.name, "a head that differs from its background", "no contrast")
    plane = load_classifier("plane")(plane_features(foreground, prepared))
    sequence = load_classifier("sequence")(contrast_features(prepared))
    return Recognised(*plane, *sequence)
