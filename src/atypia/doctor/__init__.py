"""Whether an installation works, end to end."""

from __future__ import annotations

from atypia.doctor.check import NOTE, OK, PROBLEM, Check
from atypia.doctor.examining import examine

__all__ = ["NOTE", "OK", "PROBLEM", "Check", "examine"]
