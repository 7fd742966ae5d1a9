"""Where a Screener comes from: when, on what and with which versions it was fitted."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from atypia.screener.fit_report import FitReport

PACKAGES = ("numpy", "onnxruntime", "keras", "tensorflow", "tensorflow-cpu")


def provenance_of(report: FitReport, *, grouped: bool, seed: int) -> dict[str, Any]:
    """Return plain JSON values; nothing in them names a scan, a folder or a user."""
    return {
        "atypia": version("atypia"),
        "fitted": datetime.now(UTC).isoformat(timespec="seconds"),
        "train_scans": report.train,
        "calibration_scans": report.calibration,
        "unreadable_scans": len(report.unreadable),
        "grouped": grouped,
        "seed": seed,
        "python": platform.python_version(),
        "platform": sys.platform,
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
