"""The rules: from healthy scores and one parameter to the score above which a scan is flagged."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from atypia.errors import BadOption, NotEnoughScans
from atypia.threshold.healthy import HealthyScores

FEWEST = 5
LARGEST_SHARE = 1 - 1e-9


def _mean_std(healthy: HealthyScores, k: float) -> float:
    return float(healthy.scores.mean() + k * healthy.scores.std())


def _quantile(healthy: HealthyScores, q: float) -> float:
    return float(np.quantile(healthy.scores, q, method="higher"))


def _conformal(healthy: HealthyScores, alpha: float) -> float:
    """Return the highest healthy score whose p-value is above alpha: p <= alpha exactly above it."""
    return float(healthy.scores[healthy.p_values(healthy.scores) > alpha][-1])


RULES: dict[str, tuple[Callable[[HealthyScores, float], float], float]] = {
    "mean+std": (_mean_std, 1.0),
    "quantile": (_quantile, 0.95),
    "conformal": (_conformal, 0.05),
}
"""Name of a rule -> its function and the parameter it takes unless told otherwise."""


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
    if rule == "conformal" and not 0 < parameter < 1:
        raise BadOption(f"A false-alarm rate lies between 0 and 1; received {parameter}.")


def groups_needed(rule: str, parameter: float | None) -> int:
    """Return how many groups of healthy scans a rule needs.

    A p-value is at least 1 / (1 + groups), so that `conformal` needs 1/alpha - 1 of them to flag anything.

    >>> [groups_needed("conformal", alpha) for alpha in (0.1, 0.05, 0.01)], groups_needed("mean+std", 1.0)
    ([9, 19, 99], 1)
    """
    if rule != "conformal":
        return 1
    alpha = RULES[rule][1] if parameter is None else parameter
    # 1/0.05 may come out as 20.000000000000004: then 19 are enough all the same.
    return max(1, math.ceil(1 / alpha * LARGEST_SHARE) - 1)


def demand(rule: str, parameter: float | None, scans: int, groups: int, *, grouped: bool) -> None:
    """Raise NotEnoughScans where so many healthy scans of so many groups are too few for a rule."""
    if scans < FEWEST:
        raise NotEnoughScans(
            f"A threshold needs at least {FEWEST} held-out healthy scans, received {scans}. "
            "Give more healthy scans."
        )
    needed = groups_needed(rule, parameter)
    if groups >= needed:
        return
    alpha = RULES[rule][1] if parameter is None else parameter
    unit = (
        "groups (patients, or clusters of near-copies) of held-out healthy scans"
        if grouped
        else ("held-out healthy scans")
    )
    raise NotEnoughScans(
        f"The rule conformal at a false-alarm rate of {alpha:g} needs at least {needed} {unit}, received "
        f"{groups}{f' with {scans} scans' if grouped else ''}. Set more aside ('atypia split --threshold'), "
        f"or ask for a false-alarm rate of {attainable(groups):g} or more."
    )


def attainable(groups: int) -> float:
    """Return the smallest false-alarm rate that so many groups can promise, rounded up to 4 digits.

    >>> [attainable(groups) for groups in (9, 19, 123)]
    [0.1, 0.05, 0.0081]
    """
    return math.ceil(1e4 / (1 + groups) * LARGEST_SHARE) / 1e4
