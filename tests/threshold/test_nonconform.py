"""Our p-values against those of another library, on the same scores: nonconform, which needs Python 3.12."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from atypia.threshold import Threshold

KEPT = json.loads(Path(__file__).with_name("nonconform.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", KEPT["cases"], ids=lambda case: f"{len(case['healthy'])} scores")
def test_p_values_are_those_that_nonconform_gave(case):
    assert Threshold.learn(case["healthy"]).p_values(case["scores"]).tolist() == case["p_values"]


@pytest.mark.parametrize("step", [0.0, 0.25])
def test_p_values_are_those_that_nonconform_gives(rng, step):
    """With steps of 0.25 scores are tied."""
    nonconform = pytest.importorskip("nonconform", reason="nonconform is installed from Python 3.12 on")
    healthy, scores = rng.gamma(2.0, size=150), rng.gamma(3.0, size=400)
    if step:
        healthy, scores = np.round(healthy / step) * step, np.round(scores / step) * step
    theirs = nonconform.Empirical().compute_p_values(scores, healthy)
    assert (Threshold.learn(healthy).p_values(scores) == theirs).all()
    flagged = Threshold.learn(healthy, "conformal", 0.1).flags(scores)
    assert (flagged == (theirs <= 0.1)).all()
