"""The codes that DICOM results use: of the standard where it has them, else our own under 99ATYPIA."""

from __future__ import annotations

from typing import Any

SCHEME = "99ATYPIA"

_OWN = {
    "region": ("unlike-healthy", "Region unlike healthy scans"),
    "score": ("volume-score", "Score: mean of the three highest slice scores"),
    "highest": ("highest-score", "Highest score of a slice"),
    "threshold": ("slice-threshold", "Score above which a slice is flagged"),
    "judged": ("slices-judged", "Slices judged"),
    "flagged": ("slices-flagged", "Slices flagged"),
    "left": ("centre-left", "Centre of the region towards the left"),
    "posterior": ("centre-posterior", "Centre of the region towards posterior"),
    "superior": ("centre-superior", "Centre of the region towards superior"),
    "peak": ("heat-peak", "Peak of the heat map in the region"),
    "mean": ("heat-mean", "Mean of the heat map in the region"),
    "slice p": ("slice-p-value", "Smallest p-value of the region in a slice"),
    "volume": ("whole-volume", "Whole volume compared with healthy ones"),
    "use": ("intended-use", "Intended use"),
    "research": ("research-only", "Research use only. Not a medical device."),
}


def own(name: str) -> Any:
    """Return one of our codes, a highdicom CodedConcept."""
    from highdicom.sr import CodedConcept

    value, meaning = _OWN[name]
    return CodedConcept(value, SCHEME, meaning)


def p_value() -> Any:
    """Return the code of a p-value, of the NCI Thesaurus."""
    from highdicom.sr import CodedConcept

    return CodedConcept("C44185", "NCIt", "P-Value")


def schemes() -> list[Any]:
    """Return what says whose our codes are, for the header of an object."""
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    return [
        CodingSchemeIdentificationItem(
            designator=SCHEME, name="Atypia's own codes", responsible_organization="Atypia"
        )
    ]
