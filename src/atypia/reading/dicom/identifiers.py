"""What names a patient and a study, read only where the user asked for it."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path

from atypia.errors import UnreadableScan
from atypia.reading.dicom.dataset import is_dicom, open_dataset, text


@dataclass(frozen=True)
class Identifiers:
    """Patient ID (0010,0020) and the UIDs of study and series; None what the file does not say."""

    patient_id: str | None = None
    study_uid: str | None = None
    series_uid: str | None = None

    @property
    def values(self) -> tuple[str | None, ...]:
        """All three, in the order of the fields."""
        return astuple(self)


def identifiers_of(path: Path) -> Identifiers:
    """Return the identifiers that a file's header tells; none of a file that is not DICOM or not readable."""
    if not is_dicom(path):
        return Identifiers()
    try:
        data = open_dataset(path, pixels=False)
    except UnreadableScan:
        return Identifiers()
    names = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
    return Identifiers(*(text(data, name) or None for name in names))
