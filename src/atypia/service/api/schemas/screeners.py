"""The shapes of Screeners and their thresholds."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from atypia.service.api.schemas.shapes import Name, Shape

Rule = Literal["mean+std", "quantile", "conformal"]


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
