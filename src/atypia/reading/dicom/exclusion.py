"""Why an image of a DICOM folder is not one to be judged: a localizer, a derived image, another modality."""

from __future__ import annotations

import re
from typing import Any

from atypia.reading.dicom.dataset import number, text

_NO_SCANS = {"SEG", "OT", "SC", "DOC", "PR", "SR", "KO", "REG", "RTSTRUCT", "RTDOSE", "RTPLAN", "RTIMAGE"}
_SCREEN = "1.2.840.10008.5.1.4.1.1.7"
_LOCALIZER = re.compile(r"\b(loc|locali[sz]er\w*|scout\w*|survey\w*|smartbrain|3 ?plane|plan ?scan)\b")
_PHASE = {"P", "PHASE", "PHASE MAP", "I", "IMAGINARY", "R", "REAL", "REAL_PART", "IMAGINARY_PART", "COMPLEX"}
_DERIVED = {
    "ADC", "FA", "TENSOR", "TRACEW", "TRACE", "DIFFUSION_TRACE", "EADC", "SUB", "SUBTRACTION", "MIP", "MINIP",
    "MIN IP", "PROJECTION IMAGE", "MAX_IP", "MIN_IP", "MEAN_IP", "MPR", "RBV", "RCBV", "RCBF", "MTT", "TTP",
    "CBF", "CBV", "T1 MAP", "T2 MAP", "T1_MAP", "T2_MAP", "R2_MAP", "SCREEN SAVE", "POST_PROCESSED",
    "REFORMATTED", "CSA MPR", "FMRI", "PERFUSION_MAP",
}  # fmt: skip


def why_aside(data: Any, image_type: str, words: str) -> str | None:
    """Say why a folder does not list this image; None where it does.

    `image_type` is Image Type (0008,0008), `words` are the series' description and protocol.
    """
    kind = text(data, "SOPClassUID")
    parts = [word.strip().upper() for word in image_type.split("\\")]
    if text(data, "Modality") in _NO_SCANS:
        return f"no scan but an object of the modality {text(data, 'Modality')}"
    if kind == _SCREEN or kind.startswith(f"{_SCREEN}."):
        return "a screen capture"
    if (number(data, "SamplesPerPixel") or 1) > 1:
        return "a picture in colour"
    if "LOCALIZER" in parts or _LOCALIZER.search(re.sub(r"[_\-.,]+", " ", words.lower())):
        return "a localizer"
    if "MOSAIC" in parts:
        return "a mosaic of many slices in one image"
    return _why_derived(parts)


def _why_derived(parts: list[str]) -> str | None:
    if any(word in _PHASE for word in parts[2:]):
        return "a phase image, or another part of complex values"
    named = next((word for word in parts[2:] if word in _DERIVED), None)
    if named or parts[:2] == ["DERIVED", "SECONDARY"]:
        return "a derived image" + (f" ({named})" if named else "")
    return None


def why_unusable(data: Any) -> tuple[str, str] | None:
    """Say what of an image was expected and what came, where it can be no MR slice at all."""
    modality = text(data, "Modality")
    if modality != "MR":
        # What is no modality of the standard's form is not quoted.
        known = modality if re.fullmatch(r"[A-Z]{2,16}", modality) else "unknown"
        return "an MR image", f"one of the modality {known}"
    if (number(data, "SamplesPerPixel") or 1) > 1:
        return "a grey image", "one in colour"
    return None
