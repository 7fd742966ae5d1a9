"""What becomes of an instance that was sent: the answer, which C-STORE and STOW-RS put in one number."""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """Each has a `status` (PS3.4 B.2.3 and PS3.18 I.2.2, which use the same numbers) and a few words."""

    STORED = (0x0000, "stored")
    REPEATED = (0x0000, "was there already")
    DIFFERENT = (0xB006, "UID was sent before with other content, which is kept")
    NO_ROOM = (0xA700, "no room for it on the disk")
    TOO_LARGE = (0xA700, "larger than an instance may be here")
    STUDY_FULL = (0xA700, "its study has as many instances as it may")
    MISMATCH = (0xA900, "is not the object it was announced as")
    UNREADABLE = (0xC000, "is cut short or damaged")
    SYNTAX = (0xC122, "transfer syntax is not supported")
    FAILED = (0x0110, "could not be recorded; send it again")

    def __init__(self, status: int, words: str) -> None:
        self.status, self.words = status, words

    @property
    def taken(self) -> bool:
        """Whether the sender may forget it: we have it."""
        return self.status == 0

    @property
    def failed(self) -> bool:
        """Whether it is neither taken nor known."""
        return self not in (Outcome.STORED, Outcome.REPEATED, Outcome.DIFFERENT)


class Refusal(Exception):
    """An instance that cannot be taken, with its Outcome."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.words)
        self.outcome = outcome
