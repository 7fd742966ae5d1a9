"""The files of a finding as they are fetched: what lies in its folder, or what is made of what is kept there.

What is made is not stored: browsers keep it for ever, and the folder of a finding is never written to again.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from atypia.errors import ArtefactError
from atypia.notice import RESEARCH_USE_ONLY
from atypia.scan import Finding as Found
from atypia.screener import HealthyMap
from atypia.service.home import Home
from atypia.service.store.models import Finding
from atypia.service.work.kept import NAME, kept_in
from atypia.service.work.picture_files import MADE, Shown, png
from atypia.writing.heatmap import heatmap_png

LISTED = 15


def fetched(home: Home, finding: Finding, name: str, screener: str) -> Path | bytes:
    """Return where a file of a finding's row lies, or its content where it is made when asked for.

    `screener` is the hash of its Screener's file. Raises FileNotFoundError for one that is not there.
    """
    if name not in {entry["name"] for entry in finding.files}:
        raise FileNotFoundError(name)
    folder = home.findings(finding.id)
    if (folder / name).is_file():
        return folder / name
    if name not in MADE and name not in _DRAWN:
        raise FileNotFoundError(name)
    try:
        kept = kept_in(folder / NAME)
        clear, full = finding.values["heat_scale"]
        shown = Shown(kept, (clear, full), lambda: _healthy(home.screener(screener)))
        return _DRAWN[name](finding, shown) if name in _DRAWN else MADE[name][1](shown)
    except (ValueError, ArtefactError) as error:
        raise FileNotFoundError(name) from error


def _healthy(file: Path) -> HealthyMap:
    return _read(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read(file: Path, _changed: int) -> HealthyMap:
    return HealthyMap.read(file)


def _overlay(finding: Finding, shown: Shown) -> bytes:
    found = Found(
        finding.label,
        finding.score if finding.score is not None else float("nan"),
        finding.p_value if finding.p_value is not None else float("nan"),
        finding.flagged,
        finding.threshold if finding.threshold is not None else float("nan"),
        heatmap=shown.heat,
        region_map=shown.regions,
        unfit=finding.unfit,
    )
    return heatmap_png(found, shown.grey.astype(np.float32), scale=shown.scale)


def _page(finding: Finding, shown: Shown) -> bytes:
    from atypia.report.page import render  # here, because few pages are asked for, and it is slow to load

    drawn = (("The scan", png(shown.grey)), ("Its map over it", _overlay(finding, shown)))
    page = render(
        "picture.html.jinja",
        package="atypia.service.work",
        found=finding,
        lead=lead(finding),
        pictures=[(words, _address(picture)) for words, picture in drawn],
        regions=finding.values.get("regions", [])[:LISTED],
        notice=RESEARCH_USE_ONLY,
    )
    return page.encode("utf-8", "backslashreplace")


def lead(finding: Finding) -> str:
    """Return in plain words how unusual a scan is."""
    if finding.unfit:
        return f"It was not taken like the scans learned from, and is not judged: {finding.unfit}"
    if finding.p_value is None:
        return "It could not be judged."
    verb = "above" if finding.flagged else "not above"
    return (
        f"About {100 * finding.p_value:.3g} % of healthy scans score as high as this one or higher "
        f"(p = {finding.p_value:.3g}). Its score is {verb} the threshold."
    )


def _address(picture: bytes) -> str:
    return f"data:image/png;base64,{b64encode(picture).decode('ascii')}"


_DRAWN: dict[str, Callable[[Finding, Shown], bytes]] = {"overlay.png": _overlay, "report.html": _page}
