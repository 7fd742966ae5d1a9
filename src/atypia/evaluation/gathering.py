"""Findings joined with the rows of their table, one at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from atypia.errors import BadTable, UnreadableScan
from atypia.evaluation.cases import CaseKeeper, Cases
from atypia.evaluation.pixel_counts import PixelCounts
from atypia.evaluation.pixel_metrics import PixelMetrics
from atypia.evaluation.verdicts import Unfit, Unreadable, Verdicts
from atypia.reading.collection import Collection, Row
from atypia.reading.row import STRATA
from atypia.reading.rows import read_row_mask
from atypia.scan import Finding


class Gathering:
    """Takes findings as they stream and keeps what an Evaluation needs of them.

    Raises BadTable, also from `add`, where findings and table do not belong together.
    """

    def __init__(
        self,
        collection: Collection,
        *,
        heatmaps: bool,
        pixel_threshold: float = math.nan,
        pixel_usual: float = 0.0,
    ) -> None:
        self._source = collection.source
        self._rows = {row.name: row for row in collection}
        if not any(row.label for row in collection):
            raise BadTable(
                f"{collection.source}: expected a label (normal or abnormal) on at least one row, "
                "received none. Fill the column 'label', or score these scans without evaluating them."
            )
        masked = any(row.mask is not None for row in collection if row.label == "abnormal")
        self._pixels = PixelCounts(pixel_threshold, pixel_usual) if heatmaps and masked else None
        self._judged: list[tuple[Row, float, float, bool]] = []
        self._seen: set[str] = set()
        self._keeper = CaseKeeper()
        self._thresholds: dict[str | None, float] = {}
        self.unreadable: list[Unreadable] = []
        self.unfit: list[Unfit] = []
        self.unlabelled = 0
        self.problems: list[str] = []

    def add_all(self, findings: Iterable[Finding]) -> None:
        """Take all findings of a stream; raise BadTable where one does not belong."""
        for finding in findings:
            self.add(finding)

    def add(self, finding: Finding) -> None:
        """Take one finding; raise BadTable where it does not belong."""
        row = self._row(finding)
        abnormal = row.label == "abnormal"
        if row.label is None:
            self.unlabelled += 1
        elif finding.unfit is not None:
            self.unfit.append(Unfit(row.name, row.kind, finding.unfit, abnormal, _taken(row)))
        elif finding.flagged is None or math.isnan(finding.score):
            error = finding.error or "no reason was given"
            self.unreadable.append(Unreadable(row.name, row.kind, error, abnormal, _taken(row)))
        else:
            self._check_threshold(finding)
            self._judged.append((row, finding.score, finding.p_value, finding.flagged))
            self._keeper.offer(row, finding, abnormal=abnormal)
            self._count_pixels(row, finding)

    @property
    def threshold(self) -> float:
        """The one threshold of all findings; NaN where strata have their own."""
        values = set(self._thresholds.values())
        return values.pop() if len(values) == 1 else math.nan

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of the scans judged, in the order of the verdicts."""
        return tuple(row for row, *_ in self._judged)

    def verdicts(self) -> Verdicts:
        """Return the judged scans; raise BadTable where there is none."""
        if not self._judged:
            raise BadTable(self._nothing_judged())
        return Verdicts(
            names=tuple(row.name for row in self.rows),
            kinds=tuple(row.kind for row in self.rows),
            scores=np.array([score for _, score, _, _ in self._judged], dtype=np.float64),
            p_values=np.array([p_value for _, _, p_value, _ in self._judged], dtype=np.float64),
            labels=np.array([row.label == "abnormal" for row in self.rows], dtype=bool),
            flagged=np.array([flagged for *_, flagged in self._judged], dtype=bool),
            groups=tuple(row.group for row in self.rows),
            taken={name: tuple(_taken(row)[name] for row in self.rows) for name in STRATA},
        )

    def pixel(self, resamples: int) -> PixelMetrics | None:
        """Return the pixel figures, or None where no heat map met a mask."""
        return None if self._pixels is None else self._pixels.metrics(resamples)

    def cases(self) -> Cases:
        """Return the few scans that were kept to be looked at."""
        return self._keeper.cases()

    def _nothing_judged(self) -> str:
        first = [entry.error for entry in self.unreadable] + [entry.reason for entry in self.unfit]
        return (
            f"{self._source}: expected at least one labelled scan that could be judged, received none: "
            f"{len(self.unreadable)} could not be judged, {len(self.unfit)} are unfit to be judged, "
            f"{self.unlabelled} have no label. " + (f"The first failed with: {first[0]}" if first else "")
        )

    def _row(self, finding: Finding) -> Row:
        if finding.name not in self._rows:
            raise BadTable(
                f"{self._source}: expected a row for every finding, received none named {finding.name!r}. "
                "Evaluate the same table that was scored."
            )
        if finding.name in self._seen:
            raise BadTable(f"{self._source}: expected one finding of {finding.name!r}, received a second.")
        self._seen.add(finding.name)
        return self._rows[finding.name]

    def _check_threshold(self, finding: Finding) -> None:
        known = self._thresholds.setdefault(finding.stratum, finding.threshold)
        if finding.threshold != known:
            raise BadTable(
                f"{self._source}: expected findings at one threshold, received {finding.name!r} at "
                f"{finding.threshold:g} after others at {known:g}. Score all scans with one Screener."
            )

    def _count_pixels(self, row: Row, finding: Finding) -> None:
        """Count the heat map against its mask; one that cannot be used costs this scan's pixels only."""
        abnormal = row.label == "abnormal"
        if self._pixels is None or finding.heatmap is None or (abnormal and row.mask is None):
            return
        group = f"scan {row.name}" if row.group is None else f"group {row.group}"
        try:
            truth = read_row_mask(row) if abnormal and row.mask is not None else None
            self._pixels.add(group, finding.heatmap, truth, abnormal=abnormal)
        except (UnreadableScan, ValueError) as error:
            told = error.brief if isinstance(error, UnreadableScan) else error
            self.problems.append(f"{row.name}: not in the pixel figures: {told}")


def _taken(row: Row) -> dict[str, str | None]:
    return {name: getattr(row, name) for name in STRATA}
