"""What a threshold promises, computed once more from the healthy scores that it was learned from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from atypia.doctor.check import Check, ok, problem
from atypia.threshold import Threshold
from atypia.threshold.guarantee import guarantee
from atypia.threshold.healthy import HealthyScores

TOLERANCE = 1e-9


def promise(threshold: Threshold) -> Iterator[Check]:
    """Tell whether the threshold, and that of each stratum, follows from its healthy scores.

    They are computed here from the definitions, by plain loops over all pairs, and by none of the code that
    decides. Of the rule `conformal` no more healthy scans than it promises may lie above, each group counting
    once.
    """
    for name, part in {"": threshold, **threshold.parts}.items():
        where = f" ({name})" if name else ""
        healthy, expected = part.calibration, _expected(part)
        if not np.isclose(part.value, expected, rtol=TOLERANCE, atol=0):
            yield problem(
                "promise",
                f"threshold{where}: expected {expected:.9g} from {len(healthy)} healthy scores, received "
                f"{part.value:.9g}. Report this, and do not use the Screener.",
            )
            continue
        share = float(_weights(healthy) @ (healthy.scores > part.value)) / healthy.group_count
        told = (
            f"threshold {part.value:.6g}{where} flags {100 * share:.3g} % of its {len(healthy)} healthy scans"
        )
        if part.rule == "conformal" and share > part.parameter:
            yield problem("promise", f"{told}, more than {100 * part.parameter:g} %. Fit it again.")
        else:
            yield ok("promise", f"{told}. {guarantee(part)}" if not name else told)


def _expected(threshold: Threshold) -> float:
    scores = threshold.calibration.scores
    if threshold.rule == "mean+std":
        mean = sum(scores.tolist()) / len(scores)
        spread = (sum((score - mean) ** 2 for score in scores.tolist()) / len(scores)) ** 0.5
        return float(mean + threshold.parameter * spread)
    if threshold.rule == "quantile":
        place = int(np.ceil(round(threshold.parameter * (len(scores) - 1), 9)))
        return float(sorted(scores.tolist())[place])
    weights, groups = _weights(threshold.calibration), threshold.calibration.group_count
    higher = np.array([float(weights @ (scores >= score)) for score in scores])
    p_values = (1 + np.round(higher, 12)) / (1 + groups)
    return float(scores[p_values > threshold.parameter].max())


def _weights(healthy: HealthyScores) -> NDArray[np.float64]:
    """Return 1 over the size of the group of each scan."""
    groups = healthy.groups.tolist()
    sizes = {group: groups.count(group) for group in set(groups)}
    return np.array([1 / sizes[group] for group in groups])
