"""Loads one Screener in a process of its own, tries it, and tells of it as JSON: see `screeners.describe`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

MEMORY = 16 * 2**30


def description(file: Path) -> dict[str, Any]:
    """Return what there is to know of a Screener, after it has judged a scan; raise ArtefactError."""
    from atypia.screener import Screener
    from atypia.screening.making import maker_of

    screener = Screener.load(file)
    screener.use_threads(1)
    maker, threshold = maker_of(screener, file), screener.threshold_
    assert threshold is not None
    return {
        "detector": maker.detector,
        "version": str(screener.provenance.get("atypia", maker.version)),
        "rule": threshold.rule,
        "parameter": threshold.parameter,
        "value": threshold.value,
        "guarantee": maker.rule,
        "details": {
            "heat_scale": list(screener.heat_scale),
            "planes": list(screener.planes_),
            "healthy_count": len(threshold.calibration),
            "groups": threshold.calibration.group_count,
            "grouped": bool(screener.provenance.get("grouped")),
            "strata": list(threshold.strata),
            "refused": None if screener.refused is None else list(screener.refused),
            "size": screener.preparation.size,
            "position": screener.position_scale_ is not None,
            "has_reconstruction": _reconstructs(screener),
            "threshold": threshold.to_dict(),
            "card": screener.card(),
        },
    }


def _reconstructs(screener: Any) -> bool:
    """Tell whether findings come with what the detector expected to see, by judging a head made for it."""
    import numpy as np

    from atypia.errors import ArtefactError
    from atypia.scan import Scan

    rows, columns = np.mgrid[-1:1:96j, -1:1:96j]
    head = ((rows**2 + (1.25 * columns) ** 2) < 0.8).astype(np.float32) * (0.6 + 0.2 * np.cos(9 * rows))
    (finding,) = screener.score(
        [Scan((255 * head).astype(np.float32), "trial")], pictures=True, judge_all=True
    )
    if finding.error is not None:
        raise ArtefactError(f"The Screener was loaded, but judges nothing: {finding.error}")
    return finding.reconstruction is not None


def _bounded() -> None:
    """Give this process no more memory than a Screener needs, and no core file."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Print the description, or the error."""
    from atypia.errors import AtypiaError

    _bounded()
    file = Path(sys.argv[1])
    try:
        told = description(file)
    except AtypiaError as error:
        told = {"error": str(error).replace(str(file), "the file")}
    except Exception as error:
        told = {"error": f"The file cannot be used as a Screener ({type(error).__name__})."}
    print(json.dumps(told, allow_nan=False))


if __name__ == "__main__":
    main()
