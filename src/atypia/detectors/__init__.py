"""What learns from healthy scans and scores any scan; add a detector with one file and one line here."""

from __future__ import annotations

from atypia.detectors.asymmetry import Asymmetry
from atypia.detectors.atlas import Atlas
from atypia.detectors.autoencoder import Autoencoder
from atypia.detectors.base import Detector, Scores, State
from atypia.detectors.batch import Batch, PreparedSet
from atypia.detectors.denoising import Denoising
from atypia.detectors.ensemble import Ensemble
from atypia.detectors.feature_autoencoder import FeatureAutoencoder
from atypia.detectors.fit_context import FitContext
from atypia.detectors.gaussian import Gaussian
from atypia.detectors.intensity import Intensity
from atypia.detectors.lesion_simulation import LesionSimulation
from atypia.detectors.nearest import Nearest
from atypia.detectors.patchcore import PatchCore
from atypia.detectors.pretrained_synthetic import PretrainedSynthetic
from atypia.detectors.restoration import Restoration
from atypia.detectors.reverse_distillation import ReverseDistillation

__all__ = [
    "DETECTORS",
    "Asymmetry",
    "Atlas",
    "Autoencoder",
    "Batch",
    "Denoising",
    "Detector",
    "Ensemble",
    "FeatureAutoencoder",
    "FitContext",
    "Gaussian",
    "Intensity",
    "LesionSimulation",
    "Nearest",
    "PatchCore",
    "PreparedSet",
    "PretrainedSynthetic",
    "Restoration",
    "ReverseDistillation",
    "Scores",
    "State",
]

DETECTORS: dict[str, type[Detector]] = {
    "asymmetry": Asymmetry,
    "atlas": Atlas,
    "autoencoder": Autoencoder,
    "denoising": Denoising,
    "ensemble": Ensemble,
    "feature-autoencoder": FeatureAutoencoder,
    "gaussian": Gaussian,
    "intensity": Intensity,
    "lesion-simulation": LesionSimulation,
    "nearest": Nearest,
    "patchcore": PatchCore,
    "pretrained-synthetic": PretrainedSynthetic,
    "restoration": Restoration,
    "reverse-distillation": ReverseDistillation,
}
"""Name -> class."""
