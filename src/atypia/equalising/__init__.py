"""Copies of scans that size, shape, border, resolution and file no longer tell apart."""

from atypia.equalising.equalised_set import Equalised, equalise
from atypia.equalising.equaliser import Equaliser
from atypia.equalising.settings import Settings

__all__ = ["Equalised", "Equaliser", "Settings", "equalise"]
