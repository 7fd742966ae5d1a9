"""What a threshold promises, in words."""

from __future__ import annotations

from atypia.threshold.threshold import Threshold


def guarantee(threshold: Threshold) -> str:
    """Return one or two sentences on which share of healthy scans a threshold flags.

    >>> guarantee(Threshold.learn(range(19), "conformal", 0.1)).partition(".")[0]
    'Flags a healthy scan with a probability of at most 10 %'
    """
    share = 100 * threshold.parameter
    if threshold.rule == "mean+std":
        return "No guarantee: which share of healthy scans it flags depends on how their scores are spread."
    if threshold.rule == "quantile":
        return f"No guarantee: flags about {100 - share:g} % of healthy scans like those of the calibration."
    return f"Flags a healthy scan with a probability of at most {share:g} %{_condition(threshold)}"


def _condition(threshold: Threshold) -> str:
    inside = ", in each stratum of its own" if threshold.parts else ""
    told = [f"{inside}. It holds if nothing but chance tells new healthy "]
    if threshold.calibration.grouped:
        told.append("patients from those of the calibration, for a scan drawn at random from a patient.")
    else:
        told.append(
            "scans from those of the calibration. No groups are known: slices of one patient, or copies, "
            "break it."
        )
    if threshold.strata:
        told.append(
            " Scans of other strata share the threshold of all, which promises it on average over all "
            "strata, not for each."
        )
    return "".join(told)
