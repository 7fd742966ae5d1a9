"""Findings joined with the rows of their table, one at a time."""

from __future__ import annotations

import math

import numpy as np

from atypia.errors import BadTable, UnreadableScan
from atypia.evaluation.cases import CaseKeeper, Cases
from atypia.evaluation.pixel_histogram import PixelHistogram
from atypia.evaluation.pixel_metrics import PixelMetrics
from atypia.evaluation.verdicts import Unreadable, Verdicts
from atypia.reading.collection import Collection, Row
from atypia.reading.picture import read_mask
from atypia.scan import Finding


class Gathering:
    """Takes findings as they stream and keeps what an Evaluation needs of them.

    Raises BadTable, also from `add`, where findings and table do not belong together.
    """

    def __init__(self, collection: Collection, *, heatmaps: bool) -> None:
        self._source = collection.source
        self._rows = {row.name: row for row in collection}
        if not any(row.label for row in collection):
            raise BadTable(
                f"{collection.source}: expected a label (normal or abnormal) on at least one row, "
                "received none. Fill the column 'label', or score these scans without evaluating them."
            )
        masked = any(row.mask is not None for row in collection if row.label == "abnormal")
        self._pixels = PixelHistogram() if heatmaps and masked else None
        self._masked = self._normal = 0
        self._judged: list[tuple[Row, float, float, bool]] = []
        self._seen: set[str] = set()
        self._keeper = CaseKeeper()
        self.threshold = math.nan
        self.unreadable: list[Unreadable] = []
        self.unlabelled = 0
        self.problems: list[str] = []

    def add(self, finding: Finding) -> None:
        """Take one finding; raise BadTable where it does not belong."""
        row = self._row(finding)
        if row.label is None:
            self.unlabelled += 1
        elif finding.flagged is None or math.isnan(finding.score):
            self.unreadable.append(Unreadable(row.name, row.kind, finding.error or "no reason was given"))
        else:
            self._check_threshold(finding)
            self._judged.append((row, finding.score, finding.p_value, finding.flagged))
            self._keeper.offer(row, finding, abnormal=row.label == "abnormal")
            self._count_pixels(row, finding)

    def verdicts(self) -> Verdicts:
        """Return the judged scans; raise BadTable where there is none."""
        if not self._judged:
            raise BadTable(
                f"{self._source}: expected at least one labelled scan that could be judged, received none: "
                f"{len(self.unreadable)} could not be judged, {self.unlabelled} have no label. "
                + (f"The first failed with: {self.unreadable[0].error}" if self.unreadable else "")
            )
        return Verdicts(
            names=tuple(row.name for row, *_ in self._judged),
            kinds=tuple(row.kind for row, *_ in self._judged),
            scores=np.array([score for _, score, _, _ in self._judged], dtype=np.float64),
            p_values=np.array([p_value for _, _, p_value, _ in self._judged], dtype=np.float64),
            labels=np.array([row.label == "abnormal" for row, *_ in self._judged], dtype=bool),
            flagged=np.array([flagged for *_, flagged in self._judged], dtype=bool),
        )

    def pixel(self, threshold: float) -> PixelMetrics | None:
        """Return the pixel figures, or None where no heat map met a mask."""
        if self._pixels is None or not self._masked:
            return None
        return PixelMetrics.of(self._pixels, self._masked, self._normal, threshold)

    def cases(self) -> Cases:
        """Return the few scans that were kept to be looked at."""
        return self._keeper.cases()

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
        if math.isnan(self.threshold):
            self.threshold = finding.threshold
        elif finding.threshold != self.threshold:
            raise BadTable(
                f"{self._source}: expected findings at one threshold, received {finding.name!r} at "
                f"{finding.threshold:g} after others at {self.threshold:g}. "
                "Score all scans with one Screener."
            )

    def _count_pixels(self, row: Row, finding: Finding) -> None:
        """Count the heat map against its mask; one that cannot be used costs this scan's pixels only."""
        if self._pixels is None or finding.heatmap is None:
            return
        try:
            if row.label == "normal":
                self._pixels.add(finding.heatmap)
                self._normal += 1
            elif row.mask is not None:
                self._pixels.add(finding.heatmap, read_mask(row.mask))
                self._masked += 1
        except (UnreadableScan, ValueError) as error:
            self.problems.append(f"{row.name}: not in the pixel figures: {error}")
