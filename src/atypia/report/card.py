"""What a report tells beside its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.overlay import HeatScale
from atypia.report.model_card import CardPart


@dataclass(frozen=True, eq=False)
class ReportCard:
    """Where the evaluated Screener comes from; whatever is left out is left out of the page.

    `parameters` is a table per part ("Preparation", "Threshold", ...), `data` says what was learned from and
    measured on, `versions` which software; values may be nested. `history` has an entry per epoch with
    `epoch`, `loss` and perhaps `validation_loss`. `calibration` are the healthy scores (N,) that the
    threshold was learned from. `heat_scale` and `pixel_threshold`, in the detector's units, were learned
    from healthy heat maps. `notes` are sentences that a reader must not miss, as that a split leaks.
    """

    detector: str
    encoder: str | None = None
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    history: tuple[Mapping[str, float], ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str | None = None
    notes: tuple[str, ...] = ()
    synthetic: bool = False
    calibration: NDArray[np.float64] | None = None
    heat_scale: HeatScale | None = None
    pixel_threshold: float | None = None
    model_card: tuple[CardPart, ...] = ()
