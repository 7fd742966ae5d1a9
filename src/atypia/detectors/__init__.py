"""What learns from healthy scans and scores any scan; add a detector with one file and one line here."""

from __future__ import annotations

from atypia.detectors.autoencoder import Autoencoder
from atypia.detectors.base import Detector, Scores, State
from atypia.detectors.batch import Batch, PreparedSet
from atypia.detectors.fit_context import FitContext
from atypia.detectors.nearest import Nearest

__all__ = [
    "DETECTORS",
    "Autoencoder",
    "Batch",
    "Detector",
    "FitContext",
    "Nearest",
    "PreparedSet",
    "Scores",
    "State",
]

DETECTORS: dict[str, type[Detector]] = {
    "autoencoder": Autoencoder,
    "nearest": Nearest,
}
"""Name -> class."""
