from __future__ import annotations

import numpy as np
import pytest

from atypia.networks.optimizer import one_cycle


def rates(highest: float, steps: int) -> np.ndarray:
    schedule = one_cycle(highest, steps)._learning_rate
    return np.array([float(schedule(step)) for step in range(steps + 1)])


@pytest.mark.parametrize("steps", [1, 2, 40, 300])
def test_the_rate_rises_to_its_highest_and_falls_to_nothing(steps):
    found = rates(3e-3, steps)
    peak = found.argmax()
    assert found.max() <= 3e-3 + 1e-9
    assert (np.diff(found[: peak + 1]) >= 0).all()
    assert (np.diff(found[peak:]) <= 1e-12).all()
    assert found[0] == pytest.approx(3e-4)
    if steps > 2:
        assert found.max() == pytest.approx(3e-3)
        assert found[-1] == pytest.approx(0, abs=1e-9)
        assert peak == pytest.approx(0.15 * steps, abs=1)
