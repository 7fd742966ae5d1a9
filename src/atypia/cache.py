"""Where Atypia keeps what can be computed or downloaded again."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_folder(*parts: str) -> Path:
    """Return a folder under the user's cache; the environment variable ATYPIA_CACHE names another root."""
    root = os.environ.get("ATYPIA_CACHE")
    return (Path(root).expanduser() if root else platformdirs.user_cache_path("atypia")).joinpath(*parts)
