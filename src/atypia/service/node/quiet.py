"""Keeps the DICOM libraries from logging what they see, which may name a patient."""

from __future__ import annotations

import logging


def silence_libraries() -> None:
    """Have pynetdicom and pydicom log nothing: they quote UIDs, and values that they cannot read."""
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
