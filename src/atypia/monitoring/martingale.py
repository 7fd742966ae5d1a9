"""A bet against the promise: capital that grows only where the promise is broken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STAKES = np.array([-1.0, 0.0, 1.0])
JUMP = 0.01


@dataclass(frozen=True, eq=False)
class Bet:
    """The logarithm of the capital after each rank (N,), and the ranks."""

    log_capital: Floats
    ranks: Floats

    def first_at(self, log_bound: float) -> int | None:
        """Return the place of the first capital that reaches a bound, or None."""
        reached = np.flatnonzero(self.log_capital >= log_bound)
        return int(reached[0]) if len(reached) else None

    def since(self, place: int) -> tuple[int, bool]:
        """Return from where on a bet on one direction would have gained most up to this place.

        With it, whether that direction is down: ranks lower, and so scores higher, than before. The start is
        the maximum-likelihood estimate of a change (Page, "Continuous inspection schemes", 1954).
        """
        found = []
        for stake in (-1.0, 1.0):
            gains = np.log1p(stake * (self.ranks[: place + 1] - 0.5))
            to_here = np.cumsum(gains[::-1])[::-1]
            start = int(np.argmax(to_here))
            found.append((float(to_here[start]), start, stake < 0))
        _, start, down = max(found)
        return start, down


def bet(ranks: Floats) -> Bet:
    """Bet on ranks (N,) in (0, 1) that should be independent and uniform.

    The simple jumper (Vovk, Petej, Nouretdinov, Ahlberg, Carlsson and Gammerman, "Retrain or not retrain:
    conformal test martingales for change-point detection", 2021, algorithm 1): capital on each stake e in
    -1, 0, 1 is multiplied by 1 + e (rank - 1/2), and a hundredth of it moves to the others at each step. So
    that a long quiet time costs little, the capital is shared out over all times t at which betting could
    begin, 1 / (t (t + 1)) each. If the promise holds it ever reaches 1 / d with a probability of at most d
    (Ville's inequality).
    """
    weights = np.full(len(STAKES), 1 / len(STAKES))
    log_capital = np.empty(len(ranks))
    log_active = -np.inf
    for place, rank in enumerate(ranks):
        weights = (1 - JUMP) * weights + JUMP / len(STAKES)
        weights *= 1 + STAKES * (rank - 0.5)
        gain = float(np.log(weights.sum()))
        weights /= weights.sum()
        begun = place + 1
        log_active = gain + np.logaddexp(log_active, -np.log(begun * (begun + 1.0)))
        log_capital[place] = np.logaddexp(log_active, -np.log(begun + 1.0))
    return Bet(log_capital, ranks)
