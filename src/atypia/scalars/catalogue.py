"""The scalars by name, what each is, and what it looks at."""

from __future__ import annotations

from typing import Final

FILE: Final = "file"
FRAME: Final = "frame"
INTENSITY: Final = "intensity"

_CATALOGUE: Final[tuple[tuple[str, str, str], ...]] = (
    ("bytes_per_pixel", FILE, "size of the file over the number of its pixels"),
    ("width", FILE, "columns of pixels"),
    ("height", FILE, "rows of pixels"),
    ("pixel_count", FILE, "number of pixels"),
    ("aspect", FILE, "width over height"),
    ("jpeg_quality", FILE, "quality that a JPEG was saved with, 1 to 100, by its quantisation table"),
    ("file_format", FILE, "0 JPEG, 1 PNG, 2 TIFF, 3 BMP, 4 WebP, by the first bytes"),
    ("file_suffix", FILE, "0 .bmp, 1 .jpeg, 2 .jpg, 3 .png, 4 .tif, 5 .tiff, 6 .webp, 7 another"),
    ("colour_mode", FILE, "0 grey, 1 palette, 2 colours, 3 with transparency, 4 more than 8 bits"),
    ("colourfulness", FILE, "mean difference of the strongest and weakest of red, green and blue, 0 to 1"),
    ("border", FRAME, "width of the rim without content, mean of the four sides, as share of the side"),
    ("border_level", FRAME, "mean grey of the outermost pixels, as share of white"),
    ("background_mean", FRAME, "mean grey outside the head, as share of white"),
    ("background_noise", FRAME, "standard deviation of the grey outside the head, as share of white"),
    ("glyphs", FRAME, "small bright pieces outside the head that look like burnt-in letters"),
    ("head_area", FRAME, "share of the picture that the head fills"),
    ("head_aspect", FRAME, "width over height of the box around the head"),
    ("head_cut", FRAME, "share of the picture's rim that the head touches"),
    ("mean_intensity", INTENSITY, "mean grey of the whole picture, as share of white"),
    ("head_mean", INTENSITY, "mean grey of the head, as share of white"),
    ("head_std", INTENSITY, "standard deviation of the grey of the head, as share of white"),
    ("head_p05", INTENSITY, "5th percentile of the grey of the head, as share of white"),
    ("head_p25", INTENSITY, "25th percentile of the grey of the head, as share of white"),
    ("head_p50", INTENSITY, "median grey of the head, as share of white"),
    ("head_p75", INTENSITY, "75th percentile of the grey of the head, as share of white"),
    ("head_p95", INTENSITY, "95th percentile of the grey of the head, as share of white"),
    ("head_p99", INTENSITY, "99th percentile of the grey of the head, as share of white"),
    ("interior_p98", INTENSITY, "98th percentile of the smoothed, prepared head, scalp and skull left out"),
    ("asymmetry", INTENSITY, "mean difference of the prepared head from its mirror image, 0 to 1"),
    ("sharpness", INTENSITY, "mean step between neighbouring pixels of the head, over its deviation"),
)

SCALARS: Final[dict[str, str]] = {name: meaning for name, _, meaning in _CATALOGUE}
"""What each scalar is, in the order of the columns of `Measured.values`."""

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    group: tuple(name for name, of, _ in _CATALOGUE if of == group) for group in (FILE, FRAME, INTENSITY)
}
"""The scalars by what they look at: the file, what lies around the head, the greys inside it."""

TRIVIAL: Final[tuple[str, ...]] = (
    "bytes_per_pixel",
    "pixel_count",
    "border",
    "mean_intensity",
    "interior_p98",
    "asymmetry",
)
"""The baselines that a detector's figures stand beside."""

CATEGORIES: Final[frozenset[str]] = frozenset({"file_format", "file_suffix", "colour_mode"})
"""Scalars that name a kind: their numbers have no order."""
