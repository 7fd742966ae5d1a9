"""What an audit says in words, and how grave it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How grave a verdict is, the gravest first."""

    INVALID = "invalid"
    """Figures measured on this set as it stands would not hold."""
    WARNING = "warning"
    """Figures need this to be told, or the set to be mended."""
    NOTE = "note"
    """Something to know, or something that could not be looked at."""
    GOOD = "good"
    """Looked for and not found."""

    @property
    def rank(self) -> int:
        """Return 0 for the gravest."""
        return list(Severity).index(self)


@dataclass(frozen=True)
class Verdict:
    """One plain sentence, `title`, with what lies behind it and what to do, `text`; `part` of the audit."""

    severity: Severity
    part: str
    title: str
    text: str = ""
