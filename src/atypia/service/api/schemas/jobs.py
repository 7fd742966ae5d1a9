"""The shapes of jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from atypia.service.api.schemas.shapes import Id, Shape

JobState = Literal["receiving", "queued", "running", "done", "failed", "cancelled"]
JobKind = Literal["upload", "path", "study"]
DicomResult = Literal["seg", "sr", "sc"]


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
