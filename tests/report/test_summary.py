from __future__ import annotations

import pytest

from atypia.evaluation.image_metrics import ImageMetrics
from atypia.evaluation.metrics import Confusion
from atypia.report.summary import summary, tiles

NAN = float("nan")


def test_tiles_carry_counts() -> None:
    ends = {
        "auroc": (0.9, 0.95),
        "accuracy": (0.9, 0.95),
        "sensitivity": (0.9, 0.97),
        "specificity": (0.8, 0.95),
    }
    image = ImageMetrics(0.93, 0.9, Confusion(94, 6, 10, 90), threshold=1, intervals=ends)
    fractions = {tile.label: tile.fraction for tile in tiles(image)}
    assert fractions["Accuracy"] == "184/200"
    assert fractions["Sensitivity"] == "94/100"
    assert fractions["Specificity"] == "90/100"
    assert all(tile.known and tile.interval[0] < tile.value < tile.interval[1] for tile in tiles(image))


def test_scores_that_run_backwards_are_called_so() -> None:
    told = summary(ImageMetrics(0.26, 0.4, Confusion(3, 7, 5, 5), threshold=1, unreadable=0))
    assert "26 times in 100" in told
    assert "run backwards" in told


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (Confusion(0, 0, 1, 8), "The detector raised a false alarm on 1 of 9 normal scans."),
        (Confusion(1, 0, 0, 0), "The detector caught 1 of 1 abnormal scan."),
    ],
)
def test_one_label_only_tells_only_of_that(counts: Confusion, said: str) -> None:
    image = ImageMetrics(NAN, NAN, counts, threshold=1, unreadable=0)
    assert summary(image) == said
    assert sum(tile.known for tile in tiles(image)) == 2


def test_scans_that_could_not_be_judged_are_told() -> None:
    told = summary(ImageMetrics(0.9, 0.9, Confusion(1, 1, 1, 1), threshold=1, unreadable=3))
    assert told.endswith("3 scans could not be judged.")
