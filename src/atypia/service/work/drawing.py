"""What is drawn of a finding when somebody first asks for it: the heat over the scan, and its page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image

from atypia.atomic import write_whole
from atypia.notice import RESEARCH_USE_ONLY
from atypia.scan import Finding as Found
from atypia.scan import Image
from atypia.service.home import Home
from atypia.service.store.models import Finding
from atypia.service.work.picture_files import unpacked
from atypia.writing.heatmap import write_heatmap

LISTED = 15


def draw(home: Home, finding: Finding, name: str) -> Path:
    """Draw a file of a finding's row unless it is there, and return its path.

    Raises FileNotFoundError for one that cannot be drawn, OutputError where there is no room.
    """
    if name not in {entry["name"] for entry in finding.files}:
        raise FileNotFoundError(name)
    path = home.findings(finding.id) / name
    if not path.is_file():
        if name not in _DRAWN or not path.parent.is_dir():
            raise FileNotFoundError(name)
        _DRAWN[name](finding, path)
    return path


def _overlay(finding: Finding, path: Path) -> None:
    folder = path.parent
    grey = np.asarray(PIL.Image.open(folder / "scan.png"), np.float32)
    mask = folder / "mask.png"
    found = Found(
        finding.label,
        finding.score if finding.score is not None else float("nan"),
        finding.p_value if finding.p_value is not None else float("nan"),
        finding.flagged,
        finding.threshold if finding.threshold is not None else float("nan"),
        heatmap=_heat(finding, folder),
        region_map=np.asarray(PIL.Image.open(mask), np.uint8) if mask.is_file() else None,
        unfit=finding.unfit,
    )
    clear, full = finding.values["heat_scale"]
    write_heatmap(found, grey, path, scale=(clear, full))


def _heat(finding: Finding, folder: Path) -> Image:
    height, width = finding.values["map"]["shape"]
    return unpacked((folder / "map.bin.gz").read_bytes(), (height, width))


def _page(finding: Finding, path: Path) -> None:
    from atypia.report.page import render  # here, because few pages are asked for, and it is slow to load

    overlay = path.with_name("overlay.png")
    if not overlay.is_file():
        _overlay(finding, overlay)
    pictures = [
        (words, _address(path.with_name(name)))
        for words, name in (("The scan", "scan.png"), ("Its map over it", "overlay.png"))
    ]
    page = render(
        "picture.html.jinja",
        package="atypia.service.work",
        found=finding,
        lead=lead(finding),
        pictures=pictures,
        regions=finding.values.get("regions", [])[:LISTED],
        notice=RESEARCH_USE_ONLY,
    )
    write_whole(path, page)


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


def _address(path: Path) -> str:
    from base64 import b64encode

    return f"data:image/png;base64,{b64encode(path.read_bytes()).decode('ascii')}"


_DRAWN: dict[str, Callable[[Finding, Path], None]] = {"overlay.png": _overlay, "report.html": _page}
