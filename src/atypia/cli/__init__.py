"""The command line: parse, make one call, print."""

from __future__ import annotations

from atypia.cli.main import main

__all__ = ["main"]
