"""What was found of whole volumes as a table on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from atypia.reading.dicom import identifiers_of
from atypia.volume_finding import VolumeFinding
from atypia.writing.rows import Columns, RowsWriter, number, printable, printable_or_none

_COLUMNS: Columns = {
    "volume": str,
    "slices": int,
    "judged": int,
    "flagged": int,
    "unfit": int,
    "highest": float,
    "score": float,
    "p_value": float,
    "look_at": str,
    "map": str,
    "notes": str,
    "error": str,
    "regions": int,
    "files": str,
    "plane": str,
}
_IDENTIFIERS: Columns = {"patient_id": str, "study_uid": str, "series_uid": str}


class VolumesWriter(RowsWriter):
    """Writes a row for each volume to a `.csv`, `.jsonl` or `.parquet` file.

    The columns are volume, slices (those looked at), judged, flagged and unfit (how many of them), highest
    (score of a slice), score (mean of the three highest), p_value (of that score among healthy volumes),
    look_at (the three slices with the highest scores), map (the first of its NIfTI files), notes, error,
    regions (their number), files (all that was written of it, from the table's folder), and the plane in
    which it was cut. With `keep_identifiers` those of a DICOM series follow: patient_id, study_uid and
    series_uid.
    All else is as in RowsWriter.
    """

    def __init__(self, path: Path, *, keep_identifiers: bool = False) -> None:
        super().__init__(path, {**_COLUMNS, **_IDENTIFIERS} if keep_identifiers else _COLUMNS)
        self._keep_identifiers = keep_identifiers

    def write(self, finding: VolumeFinding, files: Sequence[Path] = ()) -> None:
        """Add one volume with the files that were written of it; raise OutputError."""
        maps = [path for path in files if path.name == map_name(finding)]
        identifiers = identifiers_of(finding.path).values if self._keep_identifiers else ()
        self.write_row(
            (
                printable(finding.name),
                finding.slices,
                finding.judged,
                finding.flagged,
                finding.unfit,
                None if finding.highest is None else number(finding.highest),
                None if finding.score is None else number(finding.score),
                finding.p_value,
                " ".join(finding.look_at_names),
                self._told(maps),
                "; ".join(finding.notes) or None,
                printable_or_none(finding.error),
                len(finding.regions),
                self._told(files),
                finding.plane,
                *map(printable_or_none, identifiers),
            )
        )

    def _told(self, files: Sequence[Path]) -> str | None:
        return " ".join(path.relative_to(self.path.parent).as_posix() for path in files) or None


def map_name(finding: VolumeFinding) -> str:
    """Return the name of the file of a volume's map, which names nobody."""
    return f"volume-{finding.number:04}.nii.gz"
