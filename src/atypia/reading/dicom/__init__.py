"""DICOM in: series put together from their files, as Volumes that do not name the patient."""

from atypia.reading.dicom.dataset import is_dicom
from atypia.reading.dicom.folder import Series, read_series
from atypia.reading.dicom.identifiers import Identifiers, identifiers_of
from atypia.reading.dicom.index import Index, is_index, read_index
from atypia.reading.dicom.listing import (
    one_file_per_series,
    one_per_series,
    series_below,
    series_named,
    series_rows,
)
from atypia.reading.dicom.volume import read_dicom, series_of

__all__ = [
    "Identifiers",
    "Index",
    "Series",
    "identifiers_of",
    "is_dicom",
    "is_index",
    "one_file_per_series",
    "one_per_series",
    "read_dicom",
    "read_index",
    "read_series",
    "series_below",
    "series_named",
    "series_of",
    "series_rows",
]
