"""From Scans to a canvas of one size, pose and range of intensity, and back."""

from atypia.preparation.geometry import Geometry
from atypia.preparation.preparation import Preparation
from atypia.preparation.prepared import Prepared

__all__ = ["Geometry", "Preparation", "Prepared"]
