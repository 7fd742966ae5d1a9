"""Single numbers of a scan that look at no anatomy: what a detector must beat, and what betrays a source."""

from atypia.scalars.catalogue import CATEGORIES, GROUPS, SCALARS, TRIVIAL
from atypia.scalars.measuring import Measured, measure_row, measure_rows

__all__ = ["CATEGORIES", "GROUPS", "SCALARS", "TRIVIAL", "Measured", "measure_row", "measure_rows"]
