"""The shapes of the API. Times are UTC, what is missing is null, and NaN never stands."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from atypia.service.store.models import in_utc

JobState = Literal["receiving", "queued", "running", "done", "failed", "cancelled"]
JobKind = Literal["upload", "path", "study"]
Verdict = Literal["normal", "abnormal", "unfit", "unreadable"]
FindingKind = Literal["picture", "volume"]
Review = Literal["none", "accepted", "rejected"]
Label = Literal["healthy", "abnormal", "unsure"]
Rule = Literal["mean+std", "quantile", "conformal"]
Order = Literal["p_value", "-p_value", "score", "-score", "created", "-created"]
DicomResult = Literal["seg", "sr", "sc"]

HEXADECIMAL = "^[0-9a-f]{32}$"
Id = Annotated[str, StringConstraints(pattern=HEXADECIMAL)]
InPath = Annotated[str, Path(pattern=HEXADECIMAL, description="Identifier: 32 hexadecimal digits.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=500, description="Rows of a page, at most.")]
Text = Annotated[str, StringConstraints(max_length=2000, pattern="^[^\\x00]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern="^[^\\x00-\\x1f\\x7f]+$")]
Time = Annotated[datetime, AfterValidator(in_utc)]
"""A time that is asked for; one without a zone is taken as UTC."""
Item = TypeVar("Item")


class Shape(BaseModel):
    """A shape without members that nobody told of."""

    model_config = ConfigDict(extra="forbid")


class Page(Shape, Generic[Item]):
    """Rows, and the cursor of those that follow; null where none do."""

    items: list[Item]
    next: str | None = None


class Counted(Page[Item], Generic[Item]):
    """A page that also tells how many rows there are in all."""

    total: int


class ProblemDetails(BaseModel):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    instance: str | None = None


class Verdicts(Shape):
    """How many findings of each verdict."""

    normal: int = 0
    abnormal: int = 0
    unfit: int = 0
    unreadable: int = 0


class Job(Shape):
    """Something to be judged, and how far that is. `total` and `done` count scans."""

    id: str
    kind: JobKind
    state: JobState
    screener: str
    label: str
    created: datetime
    started: datetime | None
    ended: datetime | None
    total: int
    done: int
    error: str | None
    findings: Verdicts
    attempts: int
    study: str | None = None


class PathJob(Shape):
    """A job on files that lie on the server, below one of the folders that it allows."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern="^[^\\x00]+$")]
    screener: Id | None = None
    results: list[DicomResult] = Field(default_factory=list, max_length=3)
    judge_all: bool = False


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
    glows in full.
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


class Screener(Shape):
    """A version of a Screener."""

    id: str
    name: str
    detector: str
    version: str
    sha256: str
    created: datetime
    default: bool
    retired: bool
    replaces: str | None
    rule: str
    parameter: float | None
    threshold: float
    guarantee: str
    healthy_count: int | None
    groups: int | None
    planes: list[str]
    heat_scale: list[float] | None
    has_reconstruction: bool
    has_alike: bool
    findings: int
    bytes: int


class ScreenerChange(Shape):
    """What is to be otherwise of a Screener; what is left out stays."""

    name: Name | None = None
    default: bool | None = None
    retired: bool | None = None


class StratumHealthy(Shape):
    """The calibration of one stratum."""

    threshold: float
    count: int
    groups: int


class Healthy(Shape):
    """The scores of the healthy scans of a calibration, rising; at most 2000 quantiles of them."""

    scores: list[float]
    count: int
    groups: int
    grouped: bool
    threshold: float
    rule: str
    parameter: float
    strata: dict[str, StratumHealthy]


class RuleChange(Shape):
    """Another rule for the threshold; without a parameter, the rule's own default."""

    rule: Rule
    parameter: float | None = Field(default=None, allow_inf_nan=False)


class Asked(Shape):
    """A threshold to be looked at: by a `rule`, or at a score, its `value`; one of both."""

    rule: Rule | None = None
    parameter: float | None = Field(default=None, allow_inf_nan=False)
    value: float | None = Field(default=None, allow_inf_nan=False)


class Effect(Shape):
    """What a threshold does to the stored findings; `newly` and `no_longer` flagged are up to 20 of them."""

    total: int
    flagged_before: int
    flagged_after: int
    newly_count: int
    no_longer_count: int
    newly: list[str]
    no_longer: list[str]


class Preview(Shape):
    """A threshold and what it would do. `p_value` is that of the lowest score that it flags.

    Of a `value`, `rule` and `parameter` are those of the conformal rule that comes nearest to it.
    """

    threshold: float
    p_value: float
    rule: str
    parameter: float
    guarantee: str
    strata: dict[str, float]
    findings: Effect


class Changed(Shape):
    """A changed threshold: the new version of the Screener, and what it did."""

    screener: Screener
    findings: Effect


class DriftAlarm(Shape):
    """A broken promise: which check told of it, at which finding, since which it may be so."""

    check: str
    direction: str
    at: str
    at_time: datetime
    since: str
    since_time: datetime


class DriftWindow(Shape):
    """A window of findings: how many p-values were low, how many were expected and may be."""

    first: datetime
    last: datetime
    scans: int
    low: int
    expected: float
    fewest: int
    most: int
    alarm: bool


class DriftStream(Shape):
    """The findings of one stratum in order. Of more than 2000, `points` are some, evenly spread.

    `log10_capital` is that of the bet against the promise at each point; it tells at `alarm_at`.
    """

    name: str
    scans: int
    calibration: int | None
    findings: list[str]
    times: list[datetime]
    p_values: list[float]
    log10_capital: list[float | None]
    alarm_at: float
    windows: list[DriftWindow]
    alarms: list[DriftAlarm]


class Drift(Shape):
    """Whether the p-values of a Screener's findings still behave as calibration promised."""

    screener: str
    recalibration_due: bool
    window: int
    risk: float
    findings: int
    unfit: int
    unreadable: int
    unfit_alarm: DriftAlarm | None
    streams: list[DriftStream]


class Limits(Shape):
    """What one request may hold."""

    upload_bytes: int
    files_per_job: int
    screener_bytes: int


class Who(Shape):
    """Who asks."""

    name: str
    role: str


class Auth(Shape):
    """Whether one must say who one is, and how."""

    required: bool
    kinds: list[str]
    user: Who | None


class NodeAbout(Shape):
    """Where studies are received."""

    ae_title: str
    port: int
    results: list[DicomResult]


class About(Shape):
    """What this server is."""

    version: str
    notice: str
    limits: Limits
    formats: list[str]
    auth: Auth
    node: NodeAbout | None
    keeps_names: bool
    path_jobs: bool


class Ready(Shape):
    """Whether the server can take jobs, check by check."""

    status: Literal["ready", "not ready"]
    checks: dict[str, bool]


class Alive(Shape):
    """The server answers."""

    status: Literal["ok"] = "ok"
