"""The sequence of a DICOM series, from its header alone: a rule that can be read, and how sure it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

SURE = 0.6

# The header's own word for it, of enhanced objects: Acquisition Contrast (0008,9209).
_CONTRASTS = {
    "T1": "T1",
    "T2": "T2",
    "FLUID_ATTENUATED": "FLAIR",
    "PROTON_DENSITY": "PD",
    "T2_STAR": "T2*",
    "DIFFUSION": "DWI",
}

# The first that the description matches counts. A word begins and ends where letters and digits do.
_WORDS = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("DWI", r"\b(dwi|dti|diff\w*|adc|trace\w*|b ?1000)\b"),
        ("SWI", r"\b(swi\w*|swan|suscept\w*|venobold)\b"),
        ("angiography", r"\b(tof|mra|mrv|angio\w*)\b"),
        ("T1", r"\bt1w?\b.*\bflair\b"),
        ("FLAIR", r"flair|\btirm\b|\bdark ?fluid\b"),
        ("T2*", r"\bt2w? ?(\*|star\b)|\bt2 (ffe|gre|fl2d)\b|\bhemo\b"),
        ("PD", r"\b(pd|pdw|proton)\b"),
        ("T1", r"\bt1|mp ?rage|\b(bravo|spgr|fspgr|tfl3d|vibe)\b"),
        ("T2", r"\bt2"),
    )
)
_ENHANCED = re.compile(r"\b(gd|gad\w*|contrast|post|ce|t1c|t1ce|t1gd|km)\b|\+ ?c\b|\bc ?\+")
_PLAIN = re.compile(r"\b(pre|non|no|without|w/o|nativ\w*)\b")
_NO_AGENT = {"", "no", "none", "n", "n/a", "na", "false", "0"}


@dataclass(frozen=True)
class Timing:
    """What was set at the scanner: times in ms, and the kind of echo: any of SE, GR, IR and EP."""

    repetition: float | None = None
    echo: float | None = None
    inversion: float | None = None
    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Sequence:
    """`name` is T1, T1+C, T2, FLAIR, PD, T2*, DWI, SWI or angiography; None where nothing tells.

    `confidence`, in [0, 1]: 0.95 where words and timing agree or the header names the contrast, 0.8 for words
    alone, 0.7 for timing alone, 0.4 where they contradict each other.
    """

    name: str | None
    confidence: float

    @property
    def sure(self) -> str | None:
        """The name where it is sure, else None."""
        return self.name if self.confidence >= SURE else None


def name_sequence(words: str, timing: Timing, *, contrast: str = "", agent: str = "") -> Sequence:
    """Name a sequence by its description and its timing.

    `words` are the series' description and protocol, `contrast` is Acquisition Contrast (0008,9209), `agent`
    is Contrast/Bolus Agent (0018,0010). A T1 is T1+C where an agent or the words say so.

    >>> name_sequence("t1_mprage_sag_p2", Timing(2300, 2.98, 900, frozenset({"GR", "IR"})))
    Sequence(name='T1', confidence=0.95)
    >>> name_sequence("AX T1 POST", Timing())
    Sequence(name='T1+C', confidence=0.8)
    >>> name_sequence("AX T1", Timing(9000, 120, 2500, frozenset({"SE", "IR"}))).sure is None
    True
    """
    text = re.sub(r"[_\-.,;:()/ ]+", " ", words.lower())
    said = _CONTRASTS.get(contrast)
    named = next((name for name, pattern in _WORDS if pattern.search(text)), None)
    timed = _by_timing(timing)
    name, confidence = (said, 0.95) if said else _weigh(named, timed)
    if name == "T1" and _is_enhanced(text, agent):
        name = "T1+C"
    return Sequence(name, confidence)


def _weigh(named: str | None, timed: str | None) -> tuple[str | None, float]:
    if named is None:
        return timed, 0.7 if timed else 0.0
    if timed is None or named in ("DWI", "SWI", "angiography"):  # their timing is that of others as well
        return named, 0.8
    return named, 0.95 if named == timed else 0.4


def _is_enhanced(text: str, agent: str) -> bool:
    if agent.strip().lower() not in _NO_AGENT:
        return True
    return bool(_ENHANCED.search(text)) and not _PLAIN.search(text)


def _by_timing(timing: Timing) -> str | None:
    """Name a sequence by echo and repetition, as textbooks divide them; None between the divisions."""
    if timing.repetition is None or timing.echo is None or "EP" in timing.kinds:
        return None
    if "GR" in timing.kinds:
        return _by_gradient_echo(timing.echo)
    if "SE" not in timing.kinds:
        return None
    return _by_spin_echo(timing.repetition, timing.echo, timing.inversion or 0.0)


def _by_gradient_echo(echo: float) -> str | None:
    if echo <= 8:
        return "T1"
    return "T2*" if echo >= 15 else None


def _by_spin_echo(repetition: float, echo: float, inversion: float) -> str | None:
    if inversion >= 1500:
        return "FLAIR" if echo >= 70 and repetition >= 4000 else None
    if echo <= 30:
        return "T1" if repetition <= 1200 or inversion >= 400 else "PD"
    return "T2" if echo >= 70 and repetition >= 2000 and not inversion else None
