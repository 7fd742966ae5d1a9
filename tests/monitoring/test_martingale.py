from __future__ import annotations

import numpy as np
import pytest

from atypia.monitoring.martingale import bet


def test_the_capital_is_a_martingale(rng):
    """Its mean stays 1: that is what Ville's inequality needs."""
    capital = np.exp([bet(rng.random(8)).log_capital for _ in range(4000)])
    assert capital.mean(axis=0) == pytest.approx(np.ones(8), abs=0.05)


def test_it_seldom_reaches_its_bound_where_nothing_changed(rng):
    risk, rounds = 0.1, 250
    reached = [bet(rng.random(400)).first_at(-np.log(risk)) is not None for _ in range(rounds)]
    assert np.mean(reached) <= risk + 3 * np.sqrt(risk * (1 - risk) / rounds)


@pytest.mark.parametrize("power", [2.0, 0.5])
@pytest.mark.parametrize("start", [0, 1000])
def test_it_grows_after_a_change_in_either_direction_however_late(rng, power, start):
    ranks = rng.random(start + 500)
    ranks[start:] **= power
    made = bet(ranks)
    place = made.first_at(np.log(100))
    assert place is not None
    assert start < place < start + 400
    since, down = made.since(place)
    assert abs(since - start) < 60
    assert down == (power > 1)


def test_no_ranks_are_no_evidence():
    assert bet(np.empty(0)).first_at(np.log(100)) is None
