"""Where Atypia keeps what can be computed or downloaded again."""

from __future__ import annotations

import math
import os
from pathlib import Path

import platformdirs

from atypia.errors import BadOption

_DEFAULT = 8.0


def cache_folder(*parts: str) -> Path:
    """Return a folder under the user's cache; the environment variable ATYPIA_CACHE names another root."""
    root = os.environ.get("ATYPIA_CACHE")
    return (Path(root).expanduser() if root else platformdirs.user_cache_path("atypia")).joinpath(*parts)


def cache_limit() -> int:
    """Return how many bytes the features in the cache may take: 8 GiB, or ATYPIA_CACHE_LIMIT in GiB.

    Raises BadOption where that variable is no number above 0.
    """
    given = os.environ.get("ATYPIA_CACHE_LIMIT") or str(_DEFAULT)
    try:
        limit = float(given)
    except ValueError:
        limit = math.nan
    if not 0 < limit < math.inf:
        raise BadOption(
            "The environment variable ATYPIA_CACHE_LIMIT bounds what is cached, in GiB: expected a number "
            f"above 0, such as 2.5, received {given!r}."
        )
    return int(limit * 2**30)
