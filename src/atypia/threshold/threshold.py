"""The threshold: one for all scans, or one for each stratum that has enough healthy scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atypia.errors import BadOption, CorruptArtefact, NotEnoughScans
from atypia.threshold.healthy import HealthyScores
from atypia.threshold.rules import FEWEST, RULES, check_rule, demand, groups_needed
from atypia.threshold.strata import missing, name_of, parts


@dataclass(frozen=True, eq=False)
class Threshold:
    """A rule, its parameter, and the scores of the healthy scans that it was learned from.

    `mean+std` flags a score above mean + k standard deviations (population form, as numpy's `std`).
    `quantile` flags a score above the q-quantile, taken as the smallest healthy score that reaches it.
    `conformal` flags a score whose p-value is at most alpha, so that a healthy scan that is exchangeable
    with those of the calibration is flagged with a probability of at most alpha, whatever the detector:
    Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World" (2005), section 2.2; Bates, Candès,
    Lei, Romano and Sesia, "Testing for outliers with conformal p-values", Annals of Statistics 51 (2023).

    With `strata`, names of columns such as plane, each stratum that has enough healthy scans has a threshold
    and p-values of its own (Mondrian: Vovk, Lindsay, Nouretdinov and Gammerman, "Mondrian confidence
    machine", 2003); the scans of the others share those of all.

    >>> Threshold.learn([1.0, 2.0, 3.0, 4.0, 5.0], rule="quantile", parameter=0.5).value
    3.0
    >>> threshold = Threshold.learn(range(19), rule="conformal", parameter=0.1)
    >>> threshold.value, threshold.flags([17.0, 17.5]).tolist(), threshold.p_values([17.5]).tolist()
    (17.0, [False, True], [0.1])
    """

    rule: str
    parameter: float
    calibration: HealthyScores
    strata: tuple[str, ...] = ()

    @classmethod
    def learn(
        cls,
        scores: ArrayLike,
        rule: str = "mean+std",
        parameter: float | None = None,
        *,
        groups: Sequence[object | None] | None = None,
        taken: Mapping[str, Sequence[str | None]] | None = None,
        strata: Sequence[str] = (),
    ) -> Self:
        """Learn from the scores (N,) of held-out healthy scans.

        `groups` (N,) names the patient or cluster of each, None where it is its own; no name is kept.
        `taken` has, by the name of a column, how each was taken; `strata` are those that part the scans.
        Raises BadOption, and NotEnoughScans for fewer than 5 scans, or fewer groups than `conformal` needs:
        1/alpha - 1.
        """
        check_rule(rule, parameter)
        return cls.of(HealthyScores.of(scores, groups, taken), rule, parameter, strata)

    @classmethod
    def of(
        cls, calibration: HealthyScores, rule: str, parameter: float | None, strata: Sequence[str] = ()
    ) -> Self:
        """Learn from scores that were gathered before; raise as `learn` does."""
        check_rule(rule, parameter)
        demand(rule, parameter, len(calibration), calibration.group_count, grouped=calibration.grouped)
        for column in strata:
            if not any(calibration.taken.get(column, ())):
                raise BadOption(
                    f"Strata by {column}: expected a {column} for the healthy scans of the calibration, "
                    f"received none. Fill the column {column!r} of the table and fit, or leave it out."
                )
        return cls(
            rule, RULES[rule][1] if parameter is None else float(parameter), calibration, tuple(strata)
        )

    @property
    def healthy(self) -> NDArray[np.float64]:
        """The healthy scores (N,), rising."""
        return self.calibration.scores

    @cached_property
    def value(self) -> float:
        """The score above which a scan is flagged, in the detector's units; that of all strata together."""
        return RULES[self.rule][0](self.calibration, self.parameter)

    @cached_property
    def parts(self) -> dict[str, Threshold]:
        """The threshold of each stratum that has enough healthy scans, by its name."""
        found = {}
        for name, healthy in self._counts.items():
            if len(healthy) >= FEWEST and healthy.group_count >= self.needed:
                found[name] = replace(self, calibration=healthy, strata=())
        return found

    @cached_property
    def pooled(self) -> dict[str, str]:
        """What each stratum lacks whose healthy scans are too few, by its name."""
        return {
            name: f"for it has {self._shortfall(name)}" for name in self._counts if name not in self.parts
        }

    @property
    def needed(self) -> int:
        """The number of groups of healthy scans that the rule needs in each stratum."""
        return groups_needed(self.rule, self.parameter)

    def for_scan(self, how: Mapping[str, str | None]) -> tuple[Threshold, str | None]:
        """Return the threshold for a scan that was taken so, and the name of its stratum.

        Where the stratum has too few healthy scans, or is not known, that is the threshold of all, and the
        name says why. Without strata the name is None.
        """
        if not self.strata:
            return self, None
        name = name_of(how, self.strata)
        if name is None:
            return self, f"pooled ({missing(how, self.strata)} not known)"
        if name in self.parts:
            return self.parts[name], name
        return self, f"pooled ({name} has {self._shortfall(name)})"

    def _shortfall(self, name: str) -> str:
        healthy = self._counts.get(name)
        groups, scans = (healthy.group_count, len(healthy)) if healthy else (0, 0)
        if groups < self.needed:
            return f"{groups} of {self.needed} {'groups' if self.calibration.grouped else 'scans'} needed"
        return f"{scans} of {FEWEST} scans needed"

    @cached_property
    def _counts(self) -> dict[str, HealthyScores]:
        return dict(parts(self.calibration, self.strata)) if self.strata else {}

    def flags(self, scores: ArrayLike) -> NDArray[np.bool_]:
        """Return True (N,) where a score is above the threshold of all; raise BadOption where one is NaN."""
        return np.asarray(_numbers(scores) > self.value)

    def p_values(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Return (1 + number of healthy scores at least as high) / (1 + N), in (0, 1]; N counts all scans.

        Scans of one group are not exchangeable with a scan of another patient, but groups are. So each of
        the K groups counts once, by the share of its scores that are at least as high:
        p = (1 + sum of the shares) / (1 + K). This is hierarchical conformal prediction (Lee, Barber and
        Willett, "Distribution-free inference with hierarchical data", 2023) read as a p-value: a scan drawn
        at random from a new healthy patient has P(p <= alpha) <= alpha. It is also the mean of the p-values
        of all ways to draw one scan of each group (single subsampling: Dunn, Wasserman and Ramdas,
        "Distribution-free prediction sets for two-layer hierarchical models", 2022). Without groups each
        scan is one, and it is the split-conformal p-value.
        Raises BadOption where a score is NaN.
        """
        return self.calibration.p_values(_numbers(scores))

    def card(self) -> dict[str, Any]:
        """Return rule, parameter and value, and the value of each stratum, for readers."""
        told: dict[str, Any] = {"rule": self.rule, "parameter": self.parameter, "value": self.value}
        if self.strata:
            told["strata"] = {name: part.value for name, part in self.parts.items()} | {"others": self.value}
        return told

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        values = {"rule": self.rule, "parameter": self.parameter, **self.calibration.to_dict()}
        return values | ({"strata": list(self.strata)} if self.strata else {})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild from `to_dict`; raise CorruptArtefact where the values cannot be a threshold's."""
        try:
            calibration = HealthyScores.from_dict(values)
            return cls.of(calibration, values["rule"], values["parameter"], values.get("strata", ()))
        except (AttributeError, KeyError, TypeError, ValueError, BadOption, NotEnoughScans) as error:
            raise CorruptArtefact(f"The saved threshold cannot be used: {error}") from error


def _numbers(scores: ArrayLike) -> NDArray[np.float64]:
    """Return the scores; a NaN would be sorted as if it were the highest of all."""
    asked = np.asarray(scores, dtype=np.float64)
    if np.isnan(asked).any():
        raise BadOption("Expected scores that are numbers, received NaN among them.")
    return asked
