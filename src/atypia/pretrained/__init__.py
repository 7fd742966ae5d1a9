"""Screeners that come with Atypia, for who has collected no healthy scans yet; each with its card."""

from __future__ import annotations

from pathlib import Path

from atypia.errors import BadOption

NAMES = ("synthetic",)
"""What `--pretrained` takes."""


def pretrained_path(name: str) -> Path:
    """Return the file of a Screener that comes with Atypia; raise BadOption where there is none so named."""
    return _file(name, "atypia")


def pretrained_card(name: str) -> str:
    """Return its card as Markdown: how it was made, what was measured, what it misses."""
    return _file(name, "md").read_text(encoding="utf-8")


def _file(name: str, suffix: str) -> Path:
    if name not in NAMES:
        raise BadOption(f"Expected a pretrained Screener out of {', '.join(NAMES)}; received {name!r}.")
    return Path(__file__).with_name(f"{name}.{suffix}")
