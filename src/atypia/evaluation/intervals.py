"""How sure a figure is: 95 % intervals that stay sensible for few cases and for perfect results.

They take cases to be independent, and stand where the bootstrap over groups has nothing to say: for a figure
of 0 or 1, which every resample repeats, counted in groups; and beside a promised rate of false alarms.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Interval = tuple[float, float]

_Z = 1.959963984540054
_BOTH = 0.025 / 2
NOWHERE: Interval = (math.nan, math.nan)


def share_interval(part: int, whole: int) -> Interval:
    """Return the 95 % Wilson score interval of a share, in [0, 1]; NaN where there is no case.

    Wilson (1927), "Probable inference, the law of succession, and statistical inference", JASA 22.

    >>> [round(end, 3) for end in share_interval(9, 10)]
    [0.596, 0.982]
    """
    if whole == 0:
        return NOWHERE
    share, weight = part / whole, _Z**2 / whole
    centre = (share + weight / 2) / (1 + weight)
    reach = _Z * math.sqrt(share * (1 - share) / whole + weight / (4 * whole)) / (1 + weight)
    return (0.0 if part == 0 else centre - reach), (1.0 if part == whole else centre + reach)


def auroc_interval(auroc: float, abnormal: int, normal: int) -> Interval:
    """Return the 95 % interval of an AUROC from its numbers of cases; NaN without cases of both kinds.

    Method 5 of Newcombe (2006), "Confidence intervals for an effect size measure based on the Mann-Whitney
    statistic, part 2", Statistics in Medicine 25: the true areas whose own spread reaches the one seen.

    >>> [round(end, 2) for end in auroc_interval(1.0, 10, 10)]
    [0.8, 1.0]
    """
    if math.isnan(auroc) or not abnormal or not normal:
        return NOWHERE

    def too_far(true: float) -> bool:
        return (auroc - true) ** 2 > _Z**2 * _variance(true, abnormal, normal)

    low = 0.0 if auroc == 0 else _border(too_far, outside=0.0, inside=auroc)
    high = 1.0 if auroc == 1 else _border(too_far, outside=1.0, inside=auroc)
    return low, high


def perfect_precision_interval(abnormal: int, normal: int, share: float) -> Interval:
    """Return the 95 % interval of an average precision of 1; NaN without cases of both kinds.

    It holds whatever the scores are like. With 98.75 % certainty each, no more than 1 - 0.0125^(1 / n) of all
    normal cases score above the highest of n, and no more than 1 - 0.0125^(1 / m) of all abnormal ones below
    the lowest of m (Wilks 1941, "Determination of sample sizes for setting tolerance limits", Annals of
    Mathematical Statistics 12). The lower end is the average precision where those normal cases score
    highest of all, and those abnormal ones lowest of all, with this `share` of abnormal cases.

    >>> [round(end, 2) for end in perfect_precision_interval(50, 50, 0.5)]
    [0.75, 1.0]
    """
    if not abnormal or not normal:
        return NOWHERE
    missed, ahead = (1 - _BOTH ** (1 / count) for count in (abnormal, normal))
    rest = (1 - share) / share

    def area(start: float, end: float, before: float) -> float:
        """Integrate the precision r / (r + before) over the recall r."""
        return end - start - before * math.log((end + before) / (start + before))

    return area(0.0, 1 - missed, rest * ahead) + area(1 - missed, 1.0, rest), 1.0


def _variance(auroc: float, abnormal: int, normal: int) -> float:
    """Return the variance of the estimate where this is the true area, both group sizes evened out."""
    others = (abnormal + normal) / 2 - 1
    alike = (1 - auroc) / (2 - auroc) + auroc / (1 + auroc)
    return auroc * (1 - auroc) * (1 + others * alike) / (abnormal * normal)


def _border(too_far: Callable[[float], bool], outside: float, inside: float) -> float:
    for _ in range(60):
        middle = (outside + inside) / 2
        if too_far(middle):
            outside = middle
        else:
            inside = middle
    return inside
