"""How a page comes to be: from its template, in the dress that all pages share, and its numbers as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from atypia.atomic import write_whole
from atypia.report.plate import FONTS

_HERE = "atypia.report"


def render(
    template: str,
    *,
    package: str = _HERE,
    filters: Mapping[str, Callable[..., Any]] | None = None,
    **content: Any,
) -> str:
    """Return the page that a template of this package makes of its content; every value is escaped.

    It may include the templates of the report, as the style, and finds there as well the filter `figure`, the
    `fonts`, the `version` of Atypia and when the page was `written`. A name that is not there is an error.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, "."), PackageLoader(_HERE, ".")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({"figure": figure, **(filters or {})})
    return environment.get_template(template).render(
        fonts=FONTS,
        version=version("atypia"),
        written=datetime.now(tz=UTC).strftime("%d %B %Y, %H:%M UTC"),
        **content,
    )


def write_json(path: Path, values: Mapping[str, Any], *, indent: int = 1) -> None:
    """Write plain values as JSON, whole or not at all; raise ValueError for NaN, OutputError if it fails."""
    write_whole(path, json.dumps(values, indent=indent, ensure_ascii=False, allow_nan=False) + "\n")


def figure(value: Any, digits: int = 3) -> str:
    """Return a number for reading, and a dash for one that is undefined.

    >>> figure(0.98765), figure(math.nan), figure(None), figure(1234), figure("reported")
    ('0.988', '–', '–', '1,234', 'reported')
    """
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.{digits}f}" if math.isfinite(value) else "–"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
