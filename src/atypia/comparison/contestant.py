"""What takes part in a comparison, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from atypia.screener import Screener


@dataclass(frozen=True)
class Contestant:
    """A Screener to be fitted: `build` makes it, in another process; `settings` say what it depends on."""

    name: str
    build: Callable[[], Screener]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What came of one contestant: the score of each scan by name, and what it cost; or why nothing came.

    `fit_seconds` is of the call that finished it; `peak_mib` is the largest memory of its process, fit and
    scoring together; `images_per_second` is from file to verdict, without heat maps.
    """

    name: str
    error: str | None = None
    scores: dict[str, float] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    fit_seconds: float | None = None
    images_per_second: float | None = None
    peak_mib: float | None = None
    artefact_mib: float | None = None
