"""What every contestant goes through: fitted, saved, timed."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from atypia.comparison.contestant import Contestant
from atypia.reading.cutting import WHOLE
from atypia.reading.row import Row
from atypia.screener import Screener
from atypia.screener.parting import Scans

TIMED = 128
"""Scans that the speed is measured on, at most."""
ARTEFACT = "screener.atypia"


def fitted(
    contestant: Contestant, scans: Scans, calibration: Scans | None, out: Path, seed: int
) -> tuple[Screener, float]:
    """Return the contestant's Screener, fitted, and the seconds it took; an interrupted training goes on."""
    screener = contestant.build()
    started = time.perf_counter()
    screener.fit(scans, calibration=calibration, seed=seed, work=out / "work", resume=True)
    return screener, round(time.perf_counter() - started, 1)


def saved(screener: Screener, out: Path) -> float:
    """Save it in its folder, which needs its checkpoints no more; return its size in MiB."""
    artefact = out / ARTEFACT
    screener.save(artefact)
    shutil.rmtree(out / "work", ignore_errors=True)
    return round(artefact.stat().st_size / 2**20, 1)


def speed(screener: Screener, rows: Sequence[Row]) -> float:
    """Return scans per second from file to verdict, after a first batch has warmed everything up."""
    list(screener.score(rows[:16], heatmaps=False))
    timed = rows[:TIMED]
    started = time.perf_counter()
    judged = sum(1 for _ in screener.score(timed, heatmaps=False))
    return round(judged / (time.perf_counter() - started), 1)


def peak_mib() -> float | None:
    """Return the largest memory that this process has held, where the system tells."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))


def asked_of(contestant: Contestant, seed: int) -> dict[str, Any]:
    """Return what any outcome of this contestant depends on, but for the scans."""
    return {
        "settings": json.loads(json.dumps(dict(contestant.settings), default=str)),
        "seed": seed,
        "atypia": version("atypia"),
    }


def digest(rows: Iterable[Row]) -> str:
    """Return a fingerprint of names, labels, splits, groups and masks of these rows, in whatever order.

    Of slices whose skull was taken off, the way counts as well.
    """
    told = (
        (r.name, r.label, r.split, r.group, r.mask, *(() if r.strip == WHOLE else (r.strip,))) for r in rows
    )
    lines = "\n".join(sorted("\t".join(map(str, one)) for one in told))
    return hashlib.sha256(lines.encode("utf-8", "backslashreplace")).hexdigest()
