"""Where a scan comes from, as the threshold needs it: its group, and how it was taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from atypia.copies import is_cluster
from atypia.errors import BadOption
from atypia.reading.cutting import WHOLE
from atypia.reading.nifti import is_nifti
from atypia.reading.row import STRATA, Row
from atypia.reading.volume import PLANES
from atypia.scan import Scan


def how_taken(scan: Row | Scan) -> dict[str, str | None]:
    """Return plane, sequence and scanner, None where not known."""
    return {column: getattr(scan, column) for column in STRATA}


def groups_of(scans: Sequence[Row | Scan]) -> list[str | None]:
    """Return the group of each."""
    return [scan.group for scan in scans]


def columns_of(scans: Sequence[Row | Scan]) -> dict[str, list[str | None]]:
    """Return, by column, how each was taken; a column that no scan has is left out."""
    columns = {column: [getattr(scan, column) for scan in scans] for column in STRATA}
    return {column: values for column, values in columns.items() if any(values)}


def planes_of(scans: Sequence[Row | Scan]) -> tuple[str, ...]:
    """Return the anatomical planes of these scans in which a volume can be cut, sorted.

    A plane with fewer than one in twenty of the scans is left out; where the plane of most scans is not
    known there is none.
    """
    counts = Counter(scan.plane for scan in scans)
    if 2 * counts[None] > len(scans):
        return ()
    return tuple(plane for plane in PLANES if 20 * counts[plane] >= len(scans) and counts[plane])


def strip_of(scans: Sequence[Row | Scan]) -> str:
    """Return how the skull was taken off the volumes among these scans; the commonest way, if several."""
    ways = Counter(scan.strip for scan in scans if isinstance(scan, Row) and scan.slice is not None)
    return ways.most_common(1)[0][0] if ways else WHOLE


def volume_of(scans: Sequence[Row | Scan]) -> str | None:
    """Return which volume was taken of NIfTI files that hold several; None where there were none such."""
    chosen = Counter(scan.volume for scan in scans if isinstance(scan, Row) and is_nifti(scan.path))
    del chosen[None]
    return chosen.most_common(1)[0][0] if chosen else None


def are_apart(learned: Sequence[Row | Scan], aside: Sequence[Row | Scan]) -> bool:
    """Tell whether most scans aside are of other patients, or at least files, than those learned from."""
    known = {_origin(scan) for scan in learned} - {None}
    return 2 * sum(_origin(scan) in known for scan in aside) < max(1, len(aside))


def _origin(scan: Row | Scan) -> str | None:
    """Return the patient of a scan, else its file: slices of one volume are of one patient."""
    if scan.group is not None and not is_cluster(scan.group):
        return scan.group
    return None if scan.path is None else str(scan.path)


def check_strata(strata: Sequence[str]) -> None:
    """Raise BadOption for a stratum that is no column on how a scan was taken, or stands there twice."""
    if len(set(strata)) < len(strata) or not set(strata) <= set(STRATA):
        raise BadOption(
            f"Strata: expected each once, out of {', '.join(STRATA)}; received {', '.join(strata)}."
        )
