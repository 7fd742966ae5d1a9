"""The sequence is told by words and timing, and not told where they contradict each other."""

from __future__ import annotations

import pytest

from atypia.reading.dicom.sequence import Sequence, Timing, name_sequence

SPIN, GRADIENT = frozenset({"SE"}), frozenset({"GR"})


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("t1_mprage_sag_p2_iso", "T1"),
        ("AX T2 FSE", "T2"),
        ("t2_space_dark-fluid_sag", "FLAIR"),
        ("Ax T2 FLAIR FS", "FLAIR"),
        ("Sag T1 FLAIR", "T1"),
        ("t1_se_tra+C", "T1+C"),
        ("T1W_3D_TFE POST GD", "T1+C"),
        ("AX T1 PRE CONTRAST", "T1"),
        ("AX T1 WITHOUT CONTRAST", "T1"),
        ("t2_fl2d_tra_hemo", "T2*"),
        ("ep2d_diff_3scan_trace", "DWI"),
        ("SWI_Images", "SWI"),
        ("PD+T2 TSE", "PD"),
        ("TOF_3D_multi-slab", "angiography"),
        ("head", None),
        ("", None),
    ],
)
def test_words(words, name):
    assert name_sequence(words, Timing()) == Sequence(name, 0.8 if name else 0.0)


@pytest.mark.parametrize(
    ("timing", "name"),
    [
        (Timing(500, 12, None, SPIN), "T1"),
        (Timing(5000, 100, None, SPIN), "T2"),
        (Timing(9000, 120, 2500, SPIN | {"IR"}), "FLAIR"),
        (Timing(2300, 3, 900, GRADIENT | {"IR"}), "T1"),
        (Timing(600, 20, None, GRADIENT), "T2*"),
        (Timing(3000, 15, None, SPIN), "PD"),
        (Timing(3000, 80, None, SPIN | {"EP"}), None),
        (Timing(1500, 50, None, SPIN), None),
        (Timing(500, 12), None),
    ],
)
def test_timing(timing, name):
    assert name_sequence("", timing) == Sequence(name, 0.7 if name else 0.0)


def test_agreement_is_surer_and_contradiction_tells_nothing():
    assert name_sequence("t2_tse", Timing(5000, 100, None, SPIN)) == Sequence("T2", 0.95)
    contradiction = name_sequence("t2_tse", Timing(500, 12, None, SPIN))
    assert contradiction == Sequence("T2", 0.4)
    assert contradiction.sure is None


def test_the_header_names_contrast_and_agent():
    assert name_sequence("x", Timing(), contrast="FLUID_ATTENUATED") == Sequence("FLAIR", 0.95)
    assert name_sequence("t1", Timing(), agent="Gadovist").name == "T1+C"
    assert name_sequence("t1", Timing(), agent="NONE").name == "T1"
    assert name_sequence("t2", Timing(), agent="Gadovist").name == "T2"
