"""What a reader must know of figures that are defined, and yet say little."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from atypia.evaluation.verdicts import Verdicts


def cautions_of(verdicts: Verdicts) -> tuple[str, ...]:
    """Return sentences on labels, groups and scores that leave figures or intervals without meaning."""
    return tuple(_cautions(verdicts))


def _cautions(verdicts: Verdicts) -> Iterator[str]:
    labels, drawn = verdicts.labels, verdicts.bootstrap(0)
    if labels.all() or not labels.any():
        yield (
            f"All judged scans are {'abnormal' if labels.all() else 'normal'}: what needs scans of both "
            "labels, as the AUROC does, is undefined."
        )
    if drawn.groups == 1:
        yield "All judged scans are of one group: there is nothing to draw anew, so there are no intervals."
    else:
        for abnormal, word in ((False, "normal"), (True, "abnormal")):
            if drawn.holding(abnormal=abnormal) == 1:
                yield (
                    f"The {word} scans are of one group: figures that need them have no interval, and tell "
                    "of one patient."
                )
    if len(verdicts) > 1 and np.ptp(verdicts.scores) == 0:
        yield (
            "All scores are equal: the detector tells nothing apart. Fit it anew, or look at how the scans "
            "are prepared."
        )
