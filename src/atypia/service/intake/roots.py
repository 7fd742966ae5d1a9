"""Paths that a job may name: below the folders that the server was told, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from atypia.service.intake.refused import Refused


def allowed(roots: Sequence[Path], path: str) -> Path:
    """Return the real path of a file or folder below one of the roots; raise Refused.

    What lies elsewhere, by whatever way, is refused in the same words as what is not there.
    """
    if not roots:
        raise Refused(
            403,
            "No paths",
            "This server judges uploads alone. An administrator can allow folders with --root.",
        )
    asked = Path(path)
    for root in roots:
        real = root.resolve()
        try:
            found = (asked if asked.is_absolute() else real / asked).resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            continue
        if found.is_relative_to(real):
            return found
    raise Refused(404, "No such path", "Expected a file or folder below one of the allowed roots.")
