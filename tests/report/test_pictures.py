from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
import pytest
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.text import Text

from atypia.evaluation.cases import Case
from atypia.report import pictures
from atypia.report.pictures import PictureScale


class Golden(Protocol):
    def check(self, name: str, figure: Figure) -> None: ...
    def differs(self, name: str, figure: Figure) -> bool: ...


def make_case(place: int, abnormal: bool) -> Case:
    rows, columns = np.mgrid[:48, :40]
    brain = (((rows - 24) / 20) ** 2 + ((columns - 20) / 16) ** 2 < 1).astype(np.float32)
    spot = ((rows - 14 - 4 * place) ** 2 + (columns - 16) ** 2 < 30).astype(np.float32) * abnormal
    scan = np.float32(0.5) * brain + np.float32(0.4) * spot
    square = np.pad(scan, ((0, 0), (4, 4)))
    return Case(
        name="$\\frac{1}$ 脳.png",
        kind=None,
        abnormal=abnormal,
        score=1.0 + place,
        p_value=0.5,
        flagged=place > 0,
        scan=scan,
        heatmap=spot * (place + 1),
        mask=spot > 0 if abnormal else None,
        prepared=square,
        reconstruction=square * np.float32(0.8),
    )


CASES = (make_case(0, False), make_case(1, False), make_case(2, True), make_case(0, True))
SCALE = PictureScale(heat=(0.2, 3.0), residual=0.2, mark=1.5)


def test_cases_look_as_they_did(golden: Golden) -> None:
    golden.check("cases", pictures.cases(CASES, SCALE))


def test_reconstructions_look_as_they_did(golden: Golden) -> None:
    golden.check("reconstructions", pictures.reconstructions(CASES[1:], SCALE))


def test_another_heat_is_seen_by_the_comparison(golden: Golden) -> None:
    assert golden.differs("cases", pictures.cases(CASES, replace(SCALE, heat=(-2.0, 1.0))))


def test_nothing_that_a_user_named_is_written_into_a_picture() -> None:
    figure = pictures.cases(CASES, SCALE)
    texts = [text.get_text() for text in figure.findobj(Text)]
    assert not any("frac" in text or "脳" in text for text in texts)
    assert {"1  passed\n1", "2  false alarm\n2", "3  caught\n3", "4  missed\n1"} <= set(texts)


def test_missing_pictures_leave_a_word() -> None:
    bare = Case("x", None, abnormal=True, score=1, p_value=1, flagged=True)
    figure = pictures.reconstructions((bare,), SCALE)
    texts = [text.get_text() for text in figure.findobj(Text)]
    assert texts.count("no picture") == 4


@pytest.mark.parametrize("whole", [True, False])
def test_a_mask_without_border_has_no_outline(whole: bool) -> None:
    case = replace(CASES[2], mask=np.full((48, 40), whole))
    figure = pictures.cases((case,), SCALE)
    figure.draw_without_rendering()
    assert not figure.findobj(ContourSet)
    assert pictures.cases((CASES[2],), SCALE).findobj(ContourSet)


def test_the_scale_from_calibration_is_taken_as_it_is() -> None:
    assert PictureScale.over(CASES, heat=(0.5, 9.0), mark=1.0).heat == (0.5, 9.0)


def test_without_calibration_one_scale_serves_all_cases() -> None:
    scale = PictureScale.over(CASES)
    clear, full = scale.heat
    assert clear == 0  # where the normal cases are calm
    assert 1 <= full <= 3
    assert scale.residual == pytest.approx(0.18, abs=0.03)


@pytest.mark.parametrize("cases", [(), (Case("x", None, abnormal=True, score=1, p_value=1, flagged=True),)])
def test_without_maps_there_is_still_a_scale(cases: tuple[Case, ...]) -> None:
    assert PictureScale.over(cases) == PictureScale((0.0, 1.0), 1.0)


def test_flat_maps_make_no_empty_scale() -> None:
    flat = [replace(case, heatmap=np.zeros((48, 40), np.float32)) for case in CASES]
    clear, full = PictureScale.over(flat).heat
    assert full > clear
