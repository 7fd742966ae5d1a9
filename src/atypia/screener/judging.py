"""From scores to findings: what the threshold says, and the map on the pixels of the input."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from atypia.detectors import Scores
from atypia.loading import Loaded
from atypia.preparation import Prepared
from atypia.reading.row import Row
from atypia.scan import Finding, Image, Scan
from atypia.screener.healthy_map import HealthyMap
from atypia.screener.origin import how_taken
from atypia.screener.position_scale import PositionScale
from atypia.screener.regions import Found
from atypia.threshold import Threshold


@dataclass(frozen=True, eq=False)
class Judged:
    """A finding, and what its maps are made of: they can be made later, or never.

    `heat` (S, S) is the map on the canvas, None where the scan was not scored; `found` are its regions, None
    where none can be told; `expected` (S, S) is what the detector expected to see, where it has such.
    """

    finding: Finding
    loaded: Loaded
    heat: Image | None = None
    found: Found | None = None
    expected: Image | None = None

    def drawn(self) -> Finding:
        """Return the finding with its maps, on the pixels of the input."""
        if self.heat is None or self.loaded.prepared is None:
            return self.finding
        geometry = self.loaded.prepared.geometry
        marks = None if self.found is None else self.found.to_input(geometry)
        return replace(self.finding, heatmap=geometry.to_input(self.heat), region_map=marks)


@dataclass(frozen=True, eq=False)
class Judge:
    """Makes findings: with `heatmaps` the map, with `pictures` what the detector saw and expected.

    With `p_maps` findings tell of each pixel how unusual it is, where the `healthy_map` knows.
    With a `healthy_map` the regions that are unlike healthy scans are told, always. With a `position_scale`
    scores are in its unit, and slices are compared with those of their position.
    """

    threshold: Threshold
    heatmaps: bool
    pictures: bool
    healthy_map: HealthyMap | None = None
    position_scale: PositionScale | None = None
    p_maps: bool = False

    def findings(
        self, part: Sequence[Loaded], scores: Scores | None, unfit: Sequence[str | None] | None = None
    ) -> Iterator[Finding]:
        """Yield a finding for each, with what was asked for: see `judged`."""
        return map(self._shown, self.judged(part, scores, unfit))

    def judged(
        self, part: Sequence[Loaded], scores: Scores | None, unfit: Sequence[str | None] | None = None
    ) -> Iterator[Judged]:
        """Yield each, judged; `scores` are, in order, those of the ones that could be prepared.

        `unfit` says of the same ones why they may not be judged, None where they may.
        """
        place = 0
        for item in part:
            if item.prepared is None or scores is None:
                yield self._unjudged(item, item.error.brief if item.error else "It was not scored.")
                continue
            if math.isfinite(scores.image[place]):
                yield self._judged(item, item.prepared, scores, place, unfit[place] if unfit else None)
            else:
                yield self._unjudged(item, "The detector gave no finite score.")
            place += 1

    def _unjudged(self, item: Loaded, error: str) -> Judged:
        threshold, stratum = self.threshold.for_scan(how_taken(item.source))
        found = Finding(item.name, math.nan, math.nan, None, threshold.value, error=error, stratum=stratum)
        return Judged(found, item)

    def _judged(
        self, item: Loaded, prepared: Prepared, scores: Scores, place: int, unfit: str | None
    ) -> Judged:
        score, threshold, stratum = self.compared(item.source, item.position, float(scores.image[place]))
        expected = scores.reconstruction
        found = self._found(item, prepared, scores.map[place]) if unfit is None else None
        finding = Finding(
            item.name,
            score,
            float(threshold.p_values(score)),
            bool(threshold.flags(score)) if unfit is None else None,
            threshold.value,
            stratum=stratum,
            unfit=unfit,
            regions=() if found is None else found.regions,
        )
        return Judged(finding, item, scores.map[place], found, None if expected is None else expected[place])

    def _shown(self, one: Judged) -> Finding:
        prepared, heat = one.loaded.prepared, one.heat
        if prepared is None or heat is None:
            return one.finding
        shown = one.drawn() if self.heatmaps else one.finding
        if self.pictures:
            shown = replace(shown, reconstruction=one.expected, prepared=prepared.pixels)
        return replace(shown, p_map=self._p_map(prepared, heat)) if self.p_maps else shown

    def compared(
        self, source: Row | Scan, position: float | None, score: float
    ) -> tuple[float, Threshold, str | None]:
        """Return a score in its final unit, the threshold that it is compared with, and its stratum."""
        scale, known = self.position_scale, True
        how = how_taken(source)
        if scale is not None:
            score, known = scale.standardised(score, position, how["plane"])
        if scale is None or known:
            return (score, *self.threshold.for_scan(how))
        threshold, stratum = replace(self.threshold, calibration=scale.unplaced).for_scan(how)
        return score, threshold, "position not known" if stratum is None else f"{stratum}, position not known"

    def _p_map(self, prepared: Prepared, heat: Image) -> Image | None:
        healthy = self.healthy_map
        return None if healthy is None else healthy.p_map(heat, prepared.foreground, prepared.geometry)

    def _found(self, item: Loaded, prepared: Prepared, heat: Image) -> Found | None:
        return None if self.healthy_map is None else self.healthy_map.find(heat, prepared, item.spacing)
