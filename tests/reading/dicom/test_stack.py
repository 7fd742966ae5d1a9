"""The grid of a stack lies where its images say, whatever way the patient lay and the slices leaned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from atypia.reading.dicom.frame import Frame
from atypia.reading.dicom.stack import to_stack


def frame(position, turn, spacing) -> Frame:
    return Frame(
        path=Path("x"), number=None, series="s", instance=str(position), series_number=1, modality="MR",
        size=(7, 9), position=tuple(position), orientation=(*turn[:, 0], *turn[:, 1]), spacing=spacing,
        thickness=None, count=1, slope=1.0, intercept=0.0, variants=(), sequence=None, scanner=None,
        group=None, aside=None, unusable=None,
    )  # fmt: skip


@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    lean=st.tuples(*[st.floats(-1, 1)] * 2),
    spacing=st.tuples(*[st.floats(0.3, 3)] * 2),
    count=st.integers(2, 12),
    gap=st.integers(0, 40),
    seed=st.integers(0, 99),
)
def test_every_pixel_lies_where_its_image_says(angles, lean, spacing, count, gap, seed):
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    step = turn @ np.array([*lean, 4.0])
    positions = [np.array([10.0, -20.0, 30.0]) + index * step for index in range(count)]
    if count > 6:
        del positions[1 + gap % (count - 2)]
    frames = [frame(position, turn, spacing) for position in positions]
    stack = to_stack([frames[index] for index in np.random.default_rng(seed).permutation(len(frames))])
    assert stack.depth == count
    assert np.linalg.det(stack.affine[:3, :3]) > 0
    for place, image in zip(stack.places, stack.frames, strict=True):
        row, column = 5, 3
        expected = np.array(image.position) + turn[:, 0] * column * spacing[1] + turn[:, 1] * row * spacing[0]
        found = stack.affine @ [column, row, place, 1]
        assert np.allclose(found[:3] * [-1, -1, 1], expected, atol=1e-6)
