from __future__ import annotations

import numpy as np
import pytest

from atypia.detectors import Batch
from atypia.errors import NotEnoughScans
from atypia.screener.calibration import calibrate
from atypia.threshold import Threshold


class Heads:
    def __init__(self, pixels, foreground):
        self.whole = Batch(pixels, foreground)

    def __len__(self):
        return len(self.whole)

    def batch(self, indices):
        return Batch(self.whole.pixels[indices], self.whole.foreground[indices])


@pytest.fixture(scope="module")
def heads(draw_heads):
    return Heads(*draw_heads(20, size=32))


def test_threshold_and_map_follow_from_the_scores_of_healthy_scans(brightness, heads):
    detector = brightness()
    threshold, healthy_map, _ = calibrate(detector, heads, "quantile", 0.9)
    scores = detector.score(heads.whole)
    assert threshold.value == pytest.approx(Threshold.learn(scores.image, "quantile", 0.9).value)
    inside = scores.map[heads.whole.foreground]
    assert healthy_map.median == pytest.approx(np.median(inside), abs=0.02)
    assert healthy_map.threshold == pytest.approx(np.quantile(inside, 0.995), abs=0.02)


def test_it_gives_the_same_twice(brightness, heads):
    first, again = (calibrate(brightness(), heads, "mean+std", None) for _ in range(2))
    assert first[0].to_dict() == again[0].to_dict()
    assert first[1] == again[1]


def test_too_few_scans_are_refused(brightness, draw_heads):
    with pytest.raises(NotEnoughScans):
        calibrate(brightness(), Heads(*draw_heads(4, size=32)), "mean+std", None)
