from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atypia.encoders.graph import GraphBuilder
from atypia.onnx_session import open_session
from atypia.optimising.matching import matched


def build(kernel, offset) -> bytes:
    builder = GraphBuilder("small")
    grey = builder.grey_input(scale=1.0, mean=(0.4, 0.5, 0.6))
    first = builder.convolution(grey, kernel, offset, padding=(1, 1))
    second = builder.convolution(first, kernel[:, :1].repeat(6, 1), np.zeros(6), padding=(1, 1))
    return builder.build({"shallow": (first, 6), "deep": (second, 6)})


@pytest.fixture(scope="module")
def feeds():
    rng = np.random.default_rng(1)
    return [{"pixels": rng.random((3, 16, 16), dtype=np.float32)} for _ in range(2)]


@pytest.fixture(scope="module")
def kernel():
    return np.random.default_rng(0).normal(size=(6, 3, 3, 3))


def outputs(graph, feed):
    return open_session(graph, "A graph").run(None, feed)


@given(st.lists(st.floats(0.25, 4), min_size=6, max_size=6), st.floats(-1, 1))
def test_levels_and_contrasts_of_channels_are_made_up_for(feeds, kernel, factors, shift):
    graph = build(kernel, np.zeros(6))
    other = build(kernel * np.array(factors)[:, None, None, None], np.full(6, shift))
    before, after = outputs(graph, feeds[0])[0], outputs(matched(graph, other, feeds), feeds[0])[0]
    np.testing.assert_allclose(after, before, atol=1e-3 * float(np.abs(before).max()))


def test_a_channel_that_is_flat_is_only_shifted(feeds, kernel):
    flat = kernel.copy()
    flat[2] = 0
    offset = np.zeros(6)
    offset[2] = 3
    found = outputs(matched(build(kernel, np.zeros(6)), build(flat, offset), feeds), feeds[0])[0]
    wanted = np.mean([outputs(build(kernel, np.zeros(6)), feed)[0][..., 2].mean() for feed in feeds])
    np.testing.assert_allclose(found[..., 2], wanted, atol=1e-4)


def test_a_matched_graph_keeps_its_names_and_is_a_valid_model(feeds, kernel):
    graph = matched(build(kernel, np.zeros(6)), build(kernel * 2, np.ones(6)), feeds)
    onnx.checker.check_model(onnx.load_from_string(graph))
    assert [put.name for put in open_session(graph, "A graph").get_outputs()] == ["shallow", "deep"]
    assert graph == matched(build(kernel, np.zeros(6)), build(kernel * 2, np.ones(6)), feeds)
