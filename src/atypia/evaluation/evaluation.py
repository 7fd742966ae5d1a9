"""Findings beside labels: how good a Screener is on scans whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np

from atypia.evaluation.cases import Cases
from atypia.evaluation.gathering import Gathering
from atypia.evaluation.image_metrics import ImageMetrics
from atypia.evaluation.pixel_metrics import PixelMetrics
from atypia.evaluation.verdicts import Unreadable, Verdicts
from atypia.reading.collection import Collection
from atypia.scan import Finding

SCHEMA = 1


@dataclass(frozen=True)
class KindMetrics:
    """How well the scans of one kind were judged.

    Its abnormal scans stand against the normal scans of the same kind (`own_normals`, as of a plane), or
    against all normal scans where the kind has none (as of a tumour).
    """

    kind: str
    image: ImageMetrics
    own_normals: bool


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that is known of a Screener from labelled scans; `to_dict` is the content of `metrics.json`.

    `pixel` is None where no mask exists or no heat map was given. `unlabelled` counts the findings without
    a label, which are in no figure, and `problems` tells of masks that could not be used.
    """

    image: ImageMetrics
    pixel: PixelMetrics | None
    by_kind: tuple[KindMetrics, ...]
    verdicts: Verdicts
    cases: Cases
    unreadable: tuple[Unreadable, ...] = ()
    unlabelled: int = 0
    problems: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values after `metrics.schema.json`, with None for what is undefined."""
        values = {
            "schema": SCHEMA,
            "atypia": version("atypia"),
            "image": self.image.to_dict(),
            "pixel": None if self.pixel is None else self.pixel.to_dict(),
            "by_kind": {
                entry.kind: {**entry.image.to_dict(), "own_normals": entry.own_normals}
                for entry in self.by_kind
            },
            "provenance": {**self.provenance, "unlabelled": self.unlabelled, "problems": self.problems},
        }
        return _json(values)  # type: ignore[no-any-return]


def evaluate(
    findings: Iterable[Finding],
    collection: Collection,
    *,
    heatmaps: bool = True,
    pixel_threshold: float | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Measure findings against the labels and masks of their collection, joined by name.

    Findings may stream: of each only numbers stay, and the heat maps of a few cases. Rows without a finding
    are ignored. Pixel figures need heat maps (`heatmaps`) and at least one mask of an abnormal scan; normal
    scans then count as empty masks, and abnormal ones without a mask are left out. `pixel_threshold`, learned
    from healthy heat maps, is where `pixel.dice` is measured. `provenance` goes into `metrics.json` as it is.
    With labels of one kind only, what needs both is NaN. Raises BadTable where no row is labelled, a finding
    has no row, two have one name, their thresholds differ, or none could be judged.
    """
    gathering = Gathering(collection, heatmaps=heatmaps)
    for finding in findings:
        gathering.add(finding)
    verdicts, threshold = gathering.verdicts(), gathering.threshold
    unreadable = tuple(gathering.unreadable)
    return Evaluation(
        image=ImageMetrics.of(verdicts, threshold, len(unreadable)),
        pixel=gathering.pixel(math.nan if pixel_threshold is None else pixel_threshold),
        by_kind=_by_kind(verdicts, threshold, unreadable),
        verdicts=verdicts,
        cases=gathering.cases(),
        unreadable=unreadable,
        unlabelled=gathering.unlabelled,
        problems=tuple(gathering.problems),
        provenance={"source": collection.source, **(provenance or {})},
    )


def _by_kind(
    verdicts: Verdicts, threshold: float, unreadable: tuple[Unreadable, ...]
) -> tuple[KindMetrics, ...]:
    """Measure each kind that has abnormal scans, in the order of the alphabet."""
    kinds = {kind for kind in verdicts.where(verdicts.labels).kinds if kind}
    return tuple(_one_kind(kind, verdicts, threshold, unreadable) for kind in sorted(kinds))


def _one_kind(
    kind: str, verdicts: Verdicts, threshold: float, unreadable: tuple[Unreadable, ...]
) -> KindMetrics:
    of_kind = verdicts.of_kind(kind)
    own_normals = bool((of_kind & ~verdicts.labels).any())
    chosen = verdicts.where(of_kind if own_normals else of_kind | ~verdicts.labels)
    failed = sum(entry.kind == kind for entry in unreadable)
    return KindMetrics(kind, ImageMetrics.of(chosen, threshold, failed), own_normals)


def _json(value: Any) -> Any:
    """Return the value with plain types, and None for numbers that JSON has not."""
    if isinstance(value, Mapping):
        return {str(key): _json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return [_json(entry) for entry in value]
    if isinstance(value, np.generic):
        return _json(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | bool | int) else str(value)
