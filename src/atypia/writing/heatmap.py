"""A heat map over its scan as a PNG file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from atypia.atomic import atomic
from atypia.notice import RESEARCH_USE_ONLY
from atypia.overlay import HeatScale, outlined, overlay
from atypia.scan import Finding, Image


def write_heatmap(finding: Finding, scan_pixels: Image, path: Path, *, scale: HeatScale) -> None:
    """Write the finding's heat map (H, W) over its scan (H, W), as an RGB PNG of the same size.

    A line surrounds each region that is unlike healthy scans.

    `scale` is the value up to which the map is clear and the value from which it is brightest, learned from
    healthy scans. The lowest rows carry the notice that this is for research; it is in the file's metadata
    too, with the score. Raises ValueError where the finding has no heat map of the scan's shape, and
    OutputError where the file cannot be written.
    """
    content = heatmap_png(finding, scan_pixels, scale=scale)
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def heatmap_png(finding: Finding, scan_pixels: Image, *, scale: HeatScale) -> bytes:
    """Return what `write_heatmap` writes."""
    if finding.heatmap is None or finding.heatmap.shape != scan_pixels.shape:
        received = None if finding.heatmap is None else finding.heatmap.shape
        raise ValueError(f"{finding.name}: expected a heat map of {scan_pixels.shape}, received {received}.")
    pixels = overlay(scan_pixels, finding.heatmap, scale)
    if finding.region_map is not None:
        pixels = outlined(pixels, finding.region_map)
    file = io.BytesIO()
    _with_notice(pixels).save(file, format="PNG", pnginfo=_metadata(finding, scale))
    return file.getvalue()


def _with_notice(pixels: NDArray[np.uint8]) -> Pictures.Image:
    """Return the picture with the notice over its lowest rows, as large as its width allows."""
    picture = Pictures.fromarray(pixels)
    font = ImageFont.load_default(14)
    left, top, right, bottom = (round(side) for side in font.getbbox(RESEARCH_USE_ONLY))
    strip = Pictures.new("L", (right - left + 8, bottom - top + 6), 0)
    ImageDraw.Draw(strip).text((4 - left, 3 - top), RESEARCH_USE_ONLY, fill=225, font=font)
    if strip.width > picture.width:
        height = max(1, round(strip.height * picture.width / strip.width))
        strip = strip.resize((picture.width, height), Pictures.Resampling.LANCZOS)
    ground = Pictures.new("L", (picture.width, strip.height), 0)
    ground.paste(strip, (0, 0))
    picture.paste(ground.convert("RGB"), (0, picture.height - ground.height))
    return picture


def _metadata(finding: Finding, scale: HeatScale) -> PngInfo:
    info = PngInfo()
    info.add_text("Disclaimer", RESEARCH_USE_ONLY)
    info.add_text("Software", "Atypia")
    info.add_text("Score", f"{finding.score:.9g}")
    info.add_text("Threshold", f"{finding.threshold:.9g}")
    info.add_text("Verdict", finding.verdict)
    info.add_text("Regions", str(len(finding.regions)))
    info.add_text("Heat scale", f"clear up to {scale[0]:.9g}, full from {scale[1]:.9g}")
    return info
