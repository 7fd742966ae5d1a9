"""The phantom: synthetic axial slices of heads, healthy or with a tumour, as real as arithmetic makes them.

A figure measured on the phantom says that the machinery works, never how well it would do on patients.
"""

from atypia.datasets.phantom.contrast import SEQUENCES
from atypia.datasets.phantom.image import PhantomImage, phantom_image
from atypia.datasets.phantom.lesion import TUMOUR_KINDS
from atypia.datasets.phantom.writer import write_phantom

__all__ = ["SEQUENCES", "TUMOUR_KINDS", "PhantomImage", "phantom_image", "write_phantom"]
