"""Where a Screener comes from: on what and with which versions it was fitted."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from atypia.errors import BadOption
from atypia.screener.fit_report import FitReport

EPOCH = "SOURCE_DATE_EPOCH"
PACKAGES = ("numpy", "onnxruntime", "keras", "tensorflow", "tensorflow-cpu")


def provenance_of(report: FitReport, *, grouped: bool, seed: int) -> dict[str, Any]:
    """Return plain JSON values; nothing in them names a scan, a folder or a user.

    The time is told only where the environment variable SOURCE_DATE_EPOCH sets it, in seconds since 1970: the
    same fit is then the same file, bit for bit. Raises BadOption where that is no number.
    """
    return {
        "atypia": version("atypia"),
        **_when(),
        "train_scans": report.train,
        "calibration_scans": report.calibration,
        "unreadable_scans": len(report.unreadable),
        "grouped": grouped,
        "seed": seed,
        "python": platform.python_version(),
        "platform": sys.platform,
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def without_times(parameters: Any) -> Any:
    """Return the parameters of a detector without how long each epoch of a training took."""
    if isinstance(parameters, list):
        return [without_times(value) for value in parameters]
    if not isinstance(parameters, dict):
        return parameters
    kept = {name: without_times(value) for name, value in parameters.items()}
    if isinstance(kept.get("history"), list):
        kept["history"] = [_timeless(entry) for entry in kept["history"]]
    return kept


def _timeless(entry: Any) -> Any:
    return {k: v for k, v in entry.items() if k != "seconds"} if isinstance(entry, dict) else entry


def _when() -> dict[str, str]:
    told = os.environ.get(EPOCH)
    if not told:
        return {}
    try:
        when = datetime.fromtimestamp(int(told), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise BadOption(f"{EPOCH}: expected seconds since 1970, received {told!r}.") from error
    return {"fitted": when.isoformat(timespec="seconds")}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
