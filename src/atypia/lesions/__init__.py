"""Lesions of no particular disease, put into healthy scans, from which a network learns to find real ones."""

from atypia.lesions.deformation import deform
from atypia.lesions.settings import LesionSettings
from atypia.lesions.simulation import LesionSimulator

__all__ = ["LesionSettings", "LesionSimulator", "deform"]
