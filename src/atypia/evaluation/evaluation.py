"""Findings beside labels: how good a Screener is on scans whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from atypia.evaluation.baselines import Baselines, measure_baselines
from atypia.evaluation.cases import Cases
from atypia.evaluation.cautions import cautions_of
from atypia.evaluation.gathering import Gathering
from atypia.evaluation.group_metrics import GroupMetrics, measure_groups, measure_patients
from atypia.evaluation.image_metrics import ImageMetrics
from atypia.evaluation.p_value_metrics import PValueMetrics
from atypia.evaluation.pixel_metrics import PixelMetrics
from atypia.evaluation.plain import plain
from atypia.evaluation.resampling import RESAMPLES
from atypia.evaluation.strata import COLUMNS, Parting, Stratum
from atypia.evaluation.verdicts import Unfit, Unreadable, Verdicts
from atypia.reading.collection import Collection
from atypia.scan import Finding
from atypia.threshold.healthy import HealthyScores

SCHEMA = 2


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that is known of a Screener from labelled scans; `to_dict` is the content of `metrics.json`.

    `pixel` is None where no mask exists or no heat map was given, `group` where no group has several scans,
    `patient` where one has fewer than three, or the healthy scans of the calibration have no such groups,
    `p_values` where no normal scan was judged, `baselines` where they were not asked for. `strata` has, by
    column, the strata of the table. `leaks` says in which ways what was tested on was learned from: where
    there is any, no figure here is one of new scans. `cautions` are what else a reader must know of the
    figures. `unlabelled` counts the findings without a label, which are in no figure, and `problems` tells of
    masks that could not be used.
    """

    image: ImageMetrics
    pixel: PixelMetrics | None
    verdicts: Verdicts
    cases: Cases
    group: GroupMetrics | None = None
    patient: GroupMetrics | None = None
    p_values: PValueMetrics | None = None
    strata: Mapping[str, tuple[Stratum, ...]] = field(default_factory=dict)
    baselines: Baselines | None = None
    unreadable: tuple[Unreadable, ...] = ()
    unfit: tuple[Unfit, ...] = ()
    unlabelled: int = 0
    resamples: int = 0
    leaks: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def labelled(self, *, abnormal: bool) -> int:
        """Return how many scans have this label, judged or not."""
        lost = [*(entry.abnormal for entry in self.unreadable), *(entry.abnormal for entry in self.unfit)]
        return int((self.verdicts.labels == abnormal).sum()) + lost.count(abnormal)

    def unfit_share(self, *, abnormal: bool) -> float:
        """Return the share of the scans of this label that were unfit to be judged; NaN without any."""
        whole = self.labelled(abnormal=abnormal)
        return sum(entry.abnormal == abnormal for entry in self.unfit) / whole if whole else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values after `metrics.schema.json`, with None for what is undefined."""
        values = {
            "schema": SCHEMA,
            "atypia": version("atypia"),
            "leaks": bool(self.leaks),
            "leak_details": self.leaks,
            "cautions": self.cautions,
            "image": self.image.to_dict(),
            "baselines": _dict(self.baselines),
            "group": _dict(self.group),
            "patient": _dict(self.patient),
            "p_values": _dict(self.p_values),
            "pixel": _dict(self.pixel),
            **{f"by_{column}": self._by(column) for column in COLUMNS},
            "unfit": self._unfit(),
            "resampling": self._resampling(),
            "provenance": {**self.provenance, "unlabelled": self.unlabelled, "problems": self.problems},
        }
        return plain(values)  # type: ignore[no-any-return]

    def _by(self, column: str) -> dict[str, Any]:
        return {stratum.name: stratum.to_dict() for stratum in self.strata.get(column, ())}

    def _unfit(self) -> dict[str, Any]:
        return {
            "normal": sum(not entry.abnormal for entry in self.unfit),
            "abnormal": sum(entry.abnormal for entry in self.unfit),
            "share_of_normal": self.unfit_share(abnormal=False),
            "share_of_abnormal": self.unfit_share(abnormal=True),
        }

    def _resampling(self) -> dict[str, Any]:
        drawn = self.verdicts.bootstrap(self.resamples)
        return {
            "resamples": self.resamples,
            "groups": drawn.groups,
            "normal_groups": drawn.holding(abnormal=False),
            "abnormal_groups": drawn.holding(abnormal=True),
            "ungrouped_scans": len(self.verdicts) - sum(group is not None for group in self.verdicts.groups),
        }


def evaluate(
    findings: Iterable[Finding],
    collection: Collection,
    *,
    heatmaps: bool = True,
    pixel_threshold: float | None = None,
    pixel_usual: float = 0.0,
    alpha: float | None = None,
    calibration_groups: int | None = None,
    healthy: HealthyScores | None = None,
    baselines: bool = True,
    by_group: bool = True,
    resamples: int = RESAMPLES,
    leaks: tuple[str, ...] = (),
    provenance: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Measure findings against the labels and masks of their collection, joined by name.

    Findings may stream: of each only numbers stay, and the heat maps of a few cases. Rows without a finding
    are ignored. Intervals are 95 %, by `resamples` bootstrap resamples over the groups of the rows; a row
    without a group is its own. `baselines` reads the scans once more, for the figures that trivial numbers
    reach. `alpha` is the rate of false alarms that the threshold is set for, and `calibration_groups` how
    many groups of healthy scans its p-values count. `by_group` also measures whole groups: patients, not
    copies; with `healthy`, the scores of the calibration, by a calibration of their own as well. Pixel
    figures need heat maps (`heatmaps`) and at least one mask of an abnormal scan; normal scans then count as
    empty masks, and abnormal ones without a mask are left out. `pixel_threshold`, learned from healthy heat
    maps, is where `pixel.dice` is measured; thresholds for lesions go from what pixels of healthy scans
    usually score, `pixel_usual`, past it. `leaks` says in which ways these scans were learned from.
    `provenance` goes into `metrics.json` as it is. With labels of one kind only, what needs both is NaN.
    Raises BadTable where no row is labelled, a finding has no row, two have one name, their thresholds
    differ, or none could be judged.
    """
    gathering = Gathering(
        collection,
        heatmaps=heatmaps,
        pixel_threshold=_number(pixel_threshold),
        pixel_usual=pixel_usual,
    )
    gathering.add_all(findings)
    parting = _parting(gathering, _number(alpha), resamples)
    verdicts = parting.verdicts
    patients = measure_patients(verdicts, healthy, _number(alpha), resamples) if by_group else None
    return Evaluation(
        image=parting.whole(),
        pixel=gathering.pixel(resamples),
        verdicts=verdicts,
        cases=gathering.cases(),
        group=measure_groups(verdicts, gathering.threshold, resamples) if by_group else None,
        patient=patients,
        p_values=PValueMetrics.of(verdicts, calibration_groups),
        strata={column: parting.by(column) for column in COLUMNS},
        baselines=measure_baselines(verdicts, gathering.rows, resamples) if baselines else None,
        unreadable=parting.unreadable,
        unfit=parting.unfit,
        unlabelled=gathering.unlabelled,
        resamples=resamples,
        leaks=leaks,
        cautions=cautions_of(verdicts),
        problems=tuple(gathering.problems),
        provenance={"source": collection.title, **(provenance or {})},
    )


def _parting(gathering: Gathering, alpha: float, resamples: int) -> Parting:
    unreadable, unfit = tuple(gathering.unreadable), tuple(gathering.unfit)
    return Parting(gathering.verdicts(), gathering.threshold, alpha, unreadable, unfit, resamples)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _dict(part: Any) -> dict[str, Any] | None:
    return None if part is None else part.to_dict()
