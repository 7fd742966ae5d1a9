from __future__ import annotations

import pytest

from atypia.errors import BadOption
from atypia.lesions import LesionSettings


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"radius": (0.2, 0.1)}, r"radius as two numbers, 0 < low <= high; received 0\.2, 0\.1"),
        ({"contrast": (0.0, 1.0)}, "contrast as two numbers"),
        ({"edge": (float("nan"), 1.0)}, "edge as two numbers"),
        ({"bright": 1.5}, r"bright in \[0, 1\]; received 1\.5"),
        ({"healthy": -0.1}, "healthy in"),
        ({"mass": float("nan")}, "mass in"),
        ({"skull": -0.01}, r"skull from 0 to below 0\.5; received -0\.01"),
        ({"skull": 0.5}, "skull from 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, told):
    with pytest.raises(BadOption, match=told):
        LesionSettings(**settings)


def test_one_value_is_a_range():
    assert LesionSettings(radius=(0.1, 0.1), skull=0.0).radius == (0.1, 0.1)
