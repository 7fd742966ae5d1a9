"""What is said to a client whose upload is not taken."""

from __future__ import annotations


class Refused(Exception):
    """What a client sent is not taken: `status` is that of HTTP, `title` short, `detail` says what to do.

    None of the two names a place of this machine, or anything that stood in the upload.
    """

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(f"{title}: {detail}")
        self.status, self.title, self.detail = status, title, detail


def full_disk() -> Refused:
    """Return what is said where the server has no room."""
    return Refused(
        507,
        "No room",
        "The server's disk is full, and nothing was kept of this upload. Ask its administrator to make room, "
        "or to delete old jobs, and send it again.",
    )
