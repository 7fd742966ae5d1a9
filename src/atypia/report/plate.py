"""A figure as the page shows it and as a file keeps it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from matplotlib import rc_context
from matplotlib.figure import Figure

from atypia.evaluation.cases import Case
from atypia.notice import RESEARCH_USE_ONLY
from atypia.report.theme import BODY, DARK, LIGHT, SMALL, Theme

FONTS = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"

_DPI = 245  # 4.4 inches become 1080 pixels, twice what a column of the page is wide


@dataclass(frozen=True)
class Plate:
    """A drawn figure: `light` and `dark` are addresses with the picture in them, `png` is the file.

    `reading` says how to read it, `alt` what is to be seen, `cases` who is in it, from left to right.
    """

    name: str
    title: str
    reading: str
    alt: str
    light: str
    dark: str
    png: bytes
    cases: tuple[Case, ...] = ()

    @property
    def one_for_both(self) -> bool:
        """Whether the same picture serves light and dark pages."""
        return self.light == self.dark


def chart(name: str, title: str, reading: str, alt: str, draw: Callable[[Theme], Figure]) -> Plate:
    """Draw a chart once for light pages, once for dark ones and once, on white, for its file."""
    light, dark = draw(LIGHT), draw(DARK)
    return Plate(
        name=name,
        title=title,
        reading=reading,
        alt=alt,
        light=_address("image/svg+xml", _svg(light)),
        dark=_address("image/svg+xml", _svg(dark)),
        png=_stamped(light, title, LIGHT),
    )


def picture(name: str, title: str, reading: str, alt: str, figure: Figure, cases: tuple[Case, ...]) -> Plate:
    """Keep scans on their black ground, the same on every page."""
    address = _address("image/png", _png(figure))
    return Plate(name, title, reading, alt, address, address, _stamped(figure, title, DARK), cases)


def _svg(figure: Figure) -> bytes:
    """Return the figure with its text as text, in the letters of the page around it."""
    file = BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "atypia"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(r"'DejaVu Sans'[^;\"]*", FONTS, file.getvalue().decode()).encode()


def _png(figure: Figure) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png", dpi=_DPI, metadata={"Disclaimer": RESEARCH_USE_ONLY})
    return file.getvalue()


def _stamped(figure: Figure, title: str, theme: Theme) -> bytes:
    """Return a PNG that can leave the page: with its title, its notice and a ground of its own."""
    figure.suptitle(title, color=theme.ink, fontsize=BODY + 2, fontweight="bold")
    figure.supxlabel(RESEARCH_USE_ONLY, color=theme.muted, fontsize=SMALL - 1)
    figure.patch.set_alpha(1)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    return _png(figure)


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{b64encode(content).decode('ascii')}"
