"""The shapes of findings, and of what readers say of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from atypia.service.api.schemas.shapes import Shape, Text

Verdict = Literal["normal", "abnormal", "unfit", "unreadable"]
FindingKind = Literal["picture", "volume"]
Review = Literal["none", "accepted", "rejected"]
Label = Literal["healthy", "abnormal", "unsure"]
Order = Literal["p_value", "-p_value", "score", "-score", "created", "-created"]


class FindingRow(Shape):
    """A finding as a row of the worklist.

    Of a volume `p_kind` tells what its `p_value` is: of the `volume` among healthy volumes, or that of its
    `lowest slice`, which says less. `regions` is their number. `file` counts the files of the job from 0.
    """

    id: str
    job: str
    screener: str
    index: int
    file: int | None
    label: str
    kind: FindingKind
    verdict: Verdict
    score: float | None
    p_value: float | None
    p_kind: str
    threshold: float | None
    flagged: bool | None
    stratum: str | None
    plane: str | None
    sequence: str | None
    regions: int
    slices: int | None
    slices_flagged: int | None
    error: str | None
    unfit: str | None
    created: datetime
    review: Review
    feedback: list[Label]
    thumbnail: str | None
    study: str | None


class FileEntry(Shape):
    """A file of a finding: fetch `url`; it never changes."""

    name: str
    url: str
    bytes: int | None
    media_type: str


class Finding(FindingRow):
    """A finding with all that is shown of it.

    `regions` here are the places, the most unlike first. `map` gives the shape of `map.bin.gz` and
    `p.bin.gz`, float32 little endian, row by row; `heat_scale` up to where the map is clear and from where it
    glows in full. Of a volume, `rarities` are pairs of a share, falling, and the heat that so many of the
    pixels of healthy heads have at least.
    `previous` and `next` are its neighbours in the order of p-values in its job.
    """

    regions: list[dict[str, Any]]  # type: ignore[assignment]
    map: dict[str, Any] | None
    spacing: list[float] | None
    slice_findings: list[dict[str, Any]]
    look_at: list[int]
    affine: list[list[float]] | None
    notes: list[str]
    heat_scale: list[float] | None
    rarities: list[tuple[float, float]]
    files: list[FileEntry]
    previous: str | None
    next: str | None
    highest: float | None
    reviewed: datetime | None
    reviewed_by: str | None
    healthy: str


class ReviewChange(Shape):
    """What a reader says of a finding."""

    state: Review


class FeedbackGiven(Shape):
    """What a scan really is, as far as a reader knows."""

    label: Label
    note: Text = ""


class Feedback(FeedbackGiven):
    """Feedback as it was kept."""

    id: str
    finding: str
    by: str
    created: datetime


class Alike(Shape):
    """A healthy scan that looks like the scan: `distance` from 0, the same, to 2; `thumbnail` a data URL."""

    distance: float
    thumbnail: str
