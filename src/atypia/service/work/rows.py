"""From what a Screener says to the rows that the database keeps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from atypia.reading.row import Row
from atypia.screener import Judged
from atypia.service.store.models import Finding
from atypia.service.work.held import Holding
from atypia.service.work.material import JobOfWork, Part
from atypia.service.work.words import failure
from atypia.volume_finding import SliceFinding, VolumeFinding

_SHARES = (0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.003, 0.002, 0.001, 5e-4, 2e-4, 1e-4)
"""Of which the page goes from one to the next."""


def of_picture(job: JobOfWork, part: Part, row: Row, judged: Judged, holding: Holding) -> Finding:
    """Return the row of a picture."""
    found, prepared = judged.finding, judged.loaded.prepared
    shape = None if judged.heat is None or prepared is None else {"shape": list(prepared.geometry.shape)}
    regions = [{"rank": rank, **asdict(one)} for rank, one in enumerate(found.regions, start=1)]
    return _row(
        job,
        part,
        holding,
        kind="picture",
        verdict=found.verdict,
        score=number(found.score),
        p_value=number(found.p_value),
        threshold=number(found.threshold),
        flagged=found.flagged,
        stratum=found.stratum,
        plane=row.plane,
        sequence=row.sequence,
        regions=len(regions),
        unfit=found.unfit,
        error=None if found.error is None else failure(found.error, part.label, [row.path]),
        values={"regions": regions, "map": shape},
    )


def of_volume(
    job: JobOfWork, part: Part, row: Row, found: VolumeFinding, holding: Holding, notes: Sequence[str]
) -> Finding:
    """Return the row of a volume, cut in one plane; `notes` are added to those of the file."""
    p_value, p_kind = _p_value(found)
    return _row(
        job,
        part,
        holding,
        kind="volume",
        verdict=_verdict(found),
        score=number(found.score),
        highest=number(found.highest),
        p_value=p_value,
        p_kind=p_kind,
        threshold=number(found.threshold),
        flagged=found.flagged > 0 if found.judged else None,
        stratum=found.top[0].stratum if found.top else None,
        plane=found.plane,
        sequence=found.sequence,
        regions=len(found.regions),
        slices=found.slices,
        slices_flagged=found.flagged,
        unfit=_unfit(found),
        error=None if found.error is None else failure(found.error, part.label, [row.path]),
        values={
            "regions": [asdict(one) for one in found.regions],
            "slice_findings": [_slice(one) for one in found.slice_findings],
            "look_at": list(found.look_at),
            "affine": None if found.affine is None else found.affine.tolist(),
            "notes": [*found.notes, *notes],
            "healthy_volumes": found.healthy_volumes,
            "rarities": _rarities(holding),
            "map": None if found.heat is None else {"shape": list(found.heat.shape)},
            "spacing": None if found.affine is None else _spacing(found.affine.tolist()),
        },
    )


def of_nothing(job: JobOfWork, part: Part, holding: Holding) -> Finding:
    """Return the row of a part that could not be read at all."""
    return _row(
        job,
        part,
        holding,
        kind="picture",
        verdict="unreadable",
        error=part.error or "Nothing was found in it.",
    )


def _row(job: JobOfWork, part: Part, holding: Holding, **values: Any) -> Finding:
    own: dict[str, Any] = {"heat_scale": list(holding.screener.heat_scale)}
    if part.source is not None:
        own["source"] = part.source
    told = {**values.pop("values", {}), **own}
    return Finding(
        job=job.id,
        study=job.study,
        screener=holding.id,
        file=part.file,
        label=part.label[:500],
        values=plain(told),
        **values,
    )


def _rarities(holding: Holding) -> list[tuple[float, float]]:
    """Return which heat so small a share of the pixels of healthy heads has, the rarest last."""
    healthy = holding.screener.healthy_map_
    if healthy is None:
        return []
    told = [(share, healthy.heat_at(share)) for share in _SHARES]
    return [(share, heat) for share, heat in told if heat is not None]


def _verdict(found: VolumeFinding) -> str:
    if found.judged:
        return "abnormal" if found.flagged else "normal"
    return "unfit" if found.unfit else "unreadable"


def _unfit(found: VolumeFinding) -> str | None:
    if not found.unfit:
        return None
    return (
        f"{found.unfit} of {found.slices} slices were not taken like those learned from, and were not judged."
    )


def _p_value(found: VolumeFinding) -> tuple[float | None, str]:
    if found.p_value is not None:
        return found.p_value, "volume"
    judged = [one.p_value for one in found.slice_findings if math.isfinite(one.p_value)]
    return min(judged, default=None), "lowest slice"


def _slice(one: SliceFinding) -> dict[str, Any]:
    return {
        "index": one.index,
        "name": one.name,
        "score": one.score,
        "p_value": one.p_value,
        "flagged": one.flagged,
    }


def _spacing(affine: list[list[float]]) -> list[float]:
    return [math.sqrt(sum(affine[row][column] ** 2 for row in range(3))) for column in range(3)]


def number(value: float | None) -> float | None:
    """Return a number as the database keeps it: none where it is not finite."""
    return float(value) if value is not None and math.isfinite(value) else None


def plain(value: Any) -> Any:
    """Return values as JSON has them, with null in place of numbers that are none.

    >>> plain({"box": (1, 2.5), "p_value": float("nan")})
    {'box': [1, 2.5], 'p_value': None}
    """
    if isinstance(value, bool) or value is None or isinstance(value, str | int):
        return value
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return number(float(value))
