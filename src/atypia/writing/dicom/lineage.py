"""What a DICOM result says of where it comes from: its UIDs, and the software that made it."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from atypia.notice import RESEARCH_USE_ONLY
from atypia.volume_finding import Maker, VolumeFinding
from atypia.writing.dicom.source import Source
from atypia.writing.dicom.uid import uid_of

LONGEST = 64  # characters of a DICOM long string

_NUMBERS = {"seg": 1, "sr": 2, "sc": 3}
_WORDS = {"seg": "segmentation", "sr": "report", "sc": "pictures"}


@dataclass(frozen=True, eq=False)
class Lineage:
    """Makes the UIDs of the results of one volume, each from a hash of all that the result depends on.

    That is the file of the Screener and the version of Atypia, the images, and what was found of them. The
    same again gives the same UIDs; another Screener, other images or another finding give others.
    A Screener that was never saved gives UIDs that never come again.
    """

    maker: Maker
    source: Source
    found: str

    def uid(self, kind: str, number: int = 0) -> str:
        """Return the UID of a thing: a kind of result, its `KIND series`, or a `region`."""
        return uid_of(self.found, kind, str(number))

    def device_uid(self) -> str:
        """Return the UID of the Screener as a device."""
        return uid_of("Screener", self.maker.sha256 or self.found)

    @property
    def algorithm(self) -> str:
        """The name of the algorithm: the product and the Screener."""
        return plain(f"Atypia, Screener {self.maker.name}")

    @property
    def parameters(self) -> dict[str, str]:
        """What tells one Screener from another."""
        known = {"detector": self.maker.detector, "screener_sha256": self.maker.sha256 or "never saved"}
        return {name: plain(value) for name, value in known.items()}

    def general(self, kind: str, number: int = 1) -> dict[str, Any]:
        """Return what every result says of its series, itself and the software."""
        return {
            "series_instance_uid": self.uid(f"{kind} series"),
            "series_number": 9000 + 10 * self.source.series_number + _NUMBERS[kind],
            "sop_instance_uid": self.uid(kind, number),
            "instance_number": number,
            "series_description": plain(f"Atypia {_WORDS[kind]}. {RESEARCH_USE_ONLY}"),
            "manufacturer": "Atypia",
            "manufacturer_model_name": plain(self.maker.name) or "Screener",
            "software_versions": plain(self.maker.version),
            "device_serial_number": plain(self.maker.sha256 or "never saved"),
        }


def lineage_of(finding: VolumeFinding, maker: Maker, source: Source) -> Lineage:
    """Return the Lineage of the results of a volume."""
    whole = hashlib.sha256()
    told = [
        maker.version,
        maker.sha256 or secrets.token_hex(16),
        *(header.SOPInstanceUID for header in source.headers),
        *(str(frame.number) for frame in source.frames),
        finding.plane or "",
        repr((finding.score, finding.p_value, finding.threshold, finding.look_at, maker.heat_scale)),
        repr(finding.slice_findings),
    ]
    for text in told:
        whole.update(f"{len(text)} {text}".encode("utf-8", "surrogateescape"))
    for grid in (finding.heat, finding.labels):
        if grid is not None:
            whole.update(str(grid.shape).encode() + grid.tobytes())
    return Lineage(maker, source, whole.hexdigest())


def plain(text: str) -> str:
    """Return a text that every character set of DICOM can hold, at most 64 letters long.

    >>> plain("Zürich T2")
    'Z?rich T2'
    """
    held = text.encode("ascii", "replace").decode().replace("\\", "/")
    return "".join(letter for letter in held if letter.isprintable()).strip()[:LONGEST].strip()
