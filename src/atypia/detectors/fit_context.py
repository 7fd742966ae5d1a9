"""Where and how a fit runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from atypia.detectors.batch import PreparedSet


@dataclass(frozen=True, eq=False)
class FitContext:
    """What a fit is told beside the healthy scans.

    `work` holds its caches and checkpoints and outlives a kill; `resume` goes on from what lies there.
    `groups` are those of the healthy scans, in order, None where unknown; what is kept aside within a fit is
    whole groups. `labelled` is a mixed set whose loss may be reported; it never chooses anything.
    With `processes` parts of a fit may run in processes of their own where that is faster. `line` of the
    terminal, from 0, is where the training's bar is drawn.
    """

    work: Path
    seed: int = 0
    resume: bool = False
    labelled: PreparedSet | None = None
    groups: tuple[str | None, ...] = ()
    processes: bool = False
    line: int = 0
