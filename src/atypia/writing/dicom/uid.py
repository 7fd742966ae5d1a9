"""UIDs made from what they stand for."""

from __future__ import annotations

import hashlib
import uuid


def uid_of(*parts: str | bytes) -> str:
    """Return a DICOM UID below 2.25, the same for the same parts and different for others.

    It is a UUID (PS3.5 B.2) drawn from the first 128 bits of a SHA-256.

    >>> uid_of("region", "1") == uid_of("region", "1") != uid_of("region1", "")
    True
    """
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        whole.update(len(data).to_bytes(8, "big") + data)
    return f"2.25.{uuid.UUID(bytes=whole.digest()[:16], version=5).int}"
