"""The decision: a threshold learned from healthy scans that the detector has not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atypia.errors import BadOption, CorruptArtefact, NotEnoughScans

FEWEST = 5


def _mean_std(healthy: NDArray[np.float64], k: float) -> float:
    return float(healthy.mean() + k * healthy.std())


def _quantile(healthy: NDArray[np.float64], q: float) -> float:
    return float(np.quantile(healthy, q, method="higher"))


RULES: dict[str, tuple[Callable[[NDArray[np.float64], float], float], float]] = {
    "mean+std": (_mean_std, 1.0),
    "quantile": (_quantile, 0.95),
}
"""Name of a rule -> its function and the parameter it takes unless told otherwise."""


@dataclass(frozen=True, eq=False)
class Threshold:
    """A rule, its parameter, and the sorted healthy scores float64 (N,) that it was learned from.

    `mean+std` flags a score above mean + k standard deviations (population form, as numpy's `std`).
    `quantile` flags a score above the q-quantile, taken as the smallest healthy score that reaches it.

    >>> Threshold.learn([1.0, 2.0, 3.0, 4.0, 5.0], rule="quantile", parameter=0.5).value
    3.0
    """

    rule: str
    parameter: float
    healthy: NDArray[np.float64]

    @classmethod
    def learn(cls, scores: ArrayLike, rule: str = "mean+std", parameter: float | None = None) -> Self:
        """Learn from the scores (N,) of held-out healthy scans; raise BadOption or NotEnoughScans."""
        check_rule(rule, parameter)
        healthy = np.sort(np.asarray(scores, dtype=np.float64).ravel())
        if healthy.size < FEWEST:
            raise NotEnoughScans(
                f"A threshold needs at least {FEWEST} held-out healthy scans, received {healthy.size}. "
                "Give more healthy scans."
            )
        if not np.isfinite(healthy).all():
            raise BadOption("A threshold needs finite healthy scores; the detector gave some that are not.")
        healthy.setflags(write=False)
        return cls(rule, RULES[rule][1] if parameter is None else float(parameter), healthy)

    @cached_property
    def value(self) -> float:
        """The score above which a scan is flagged, in the detector's units."""
        return RULES[self.rule][0](self.healthy, self.parameter)

    def flags(self, scores: ArrayLike) -> NDArray[np.bool_]:
        """Return True (N,) where a score is above the threshold; raise BadOption where one is NaN."""
        return np.asarray(_numbers(scores) > self.value)

    def p_values(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Return (1 + number of healthy scores at least as high) / (1 + N), in (0, 1].

        Under exchangeability with the calibration scans this is a valid p-value: Vovk, Gammerman and
        Shafer, "Algorithmic Learning in a Random World" (2005), section 2.2.
        Raises BadOption where a score is NaN.
        """
        asked = _numbers(scores)
        at_least = self.healthy.size - np.searchsorted(self.healthy, asked, side="left")
        return np.asarray((1 + at_least) / (1 + self.healthy.size), dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"rule": self.rule, "parameter": self.parameter, "healthy": self.healthy.tolist()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild from `to_dict`; raise CorruptArtefact where the values cannot be a threshold's."""
        try:
            return cls.learn(values["healthy"], values["rule"], values["parameter"])
        except (KeyError, TypeError, ValueError, BadOption, NotEnoughScans) as error:
            raise CorruptArtefact(f"The saved threshold cannot be used: {error}") from error


def _numbers(scores: ArrayLike) -> NDArray[np.float64]:
    """Return the scores; a NaN would be sorted as if it were the highest of all."""
    asked = np.asarray(scores, dtype=np.float64)
    if np.isnan(asked).any():
        raise BadOption("Expected scores that are numbers, received NaN among them.")
    return asked


def check_rule(rule: str, parameter: float | None) -> None:
    """Raise BadOption where no such rule exists or its parameter is out of range."""
    if rule not in RULES:
        raise BadOption(f"Expected a threshold rule out of {', '.join(RULES)}; received {rule!r}.")
    if parameter is None:
        return
    if not np.isfinite(parameter):
        raise BadOption(f"The parameter of the rule {rule!r} must be a finite number; received {parameter}.")
    if rule == "quantile" and not 0 < parameter < 1:
        raise BadOption(f"A quantile lies between 0 and 1; received {parameter}.")
