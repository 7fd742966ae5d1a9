"""Tumours to paint into any axial slice whose tissues are known: a phantom's, or a real one."""

from atypia.datasets.phantom.lesion.growth import Lesion, displacement, grow_lesions
from atypia.datasets.phantom.lesion.kinds import TUMOUR_KINDS
from atypia.datasets.phantom.lesion.paint import CORE, OEDEMA, RIM, Painted, paint_lesions
from atypia.datasets.phantom.lesion.tissues import Tissues

__all__ = [
    "CORE",
    "OEDEMA",
    "RIM",
    "TUMOUR_KINDS",
    "Lesion",
    "Painted",
    "Tissues",
    "displacement",
    "grow_lesions",
    "paint_lesions",
]
