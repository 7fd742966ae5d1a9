"""The same again has the same UIDs; whatever differs in what it depends on has others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from atypia.writing.dicom import write_capture, write_report, write_segmentation
from atypia.writing.dicom.lineage import plain
from atypia.writing.dicom.uid import uid_of


def uids(finding, maker, folder) -> set[str]:
    """All UIDs of results that no source has: of series, of objects, and of regions."""
    files = [
        *write_segmentation(finding, maker, folder),
        *write_report(finding, maker, folder),
        *write_capture(finding, maker, folder),
    ]
    made = [pydicom.dcmread(file) for file in files]
    segments = [segment.TrackingUID for one in made for segment in one.get("SegmentSequence", ())]
    return {uid for one in made for uid in (one.SOPInstanceUID, one.SeriesInstanceUID)} | set(segments)


def test_the_same_again_has_the_same_uids(classic, maker, tmp_path):
    first = uids(classic.finding, maker, tmp_path / "a")
    assert first == uids(replace(classic.finding, number=7), maker, tmp_path / "b")
    assert len(first) == 3 + 5 + 2
    assert all(UID(uid).is_valid for uid in first)


@pytest.mark.parametrize("change", ["screener", "version", "unsaved", "plane", "heat", "score"])
def test_what_differs_shares_none(classic, maker, tmp_path, change):
    finding, other = classic.finding, maker
    if change == "screener":
        other = replace(maker, sha256="cd" * 32)
    elif change == "version":
        other = replace(maker, version="0.2.0")
    elif change == "unsaved":
        other = maker = replace(maker, sha256=None)
    elif change == "plane":
        finding = replace(finding, plane="coronal")
    elif change == "heat":
        finding = replace(finding, heat=finding.heat + np.float32(0.1))
    else:
        finding = replace(finding, score=5.5)
    first = uids(classic.finding, maker, tmp_path / "a")
    assert first.isdisjoint(uids(finding, other, tmp_path / "b"))


@given(st.lists(st.text(max_size=4), max_size=3), st.lists(st.text(max_size=4), max_size=3))
def test_other_parts_give_another_uid(one, other):
    assert (uid_of(*one) == uid_of(*other)) == (one == other)
    assert UID(uid_of(*one)).is_valid


@given(st.text())
def test_any_name_becomes_a_text_that_dicom_can_hold(name):
    told = plain(name)
    assert len(told) <= 64
    assert told.isascii()
    assert "\\" not in told
    assert told.isprintable()
