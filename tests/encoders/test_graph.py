from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.encoders.base import Encoder
from atypia.encoders.graph import GraphBuilder, fold_norm, prune

MEAN = (0.1, 0.2, 0.3)


def run(builder: GraphBuilder, value: str, channels: int, pixels: np.ndarray) -> np.ndarray:
    graph = builder.build({"out": (value, channels)})
    return Encoder("test", ("out",), (channels,), (1,), graph)(pixels)[0]


def test_grey_becomes_three_scaled_and_centred_channels(rng: np.random.Generator) -> None:
    pixels = rng.random((2, 3, 5), dtype=np.float32)
    builder = GraphBuilder("test")
    colour = run(builder, builder.grey_input(scale=4.0, mean=MEAN), 3, pixels)
    np.testing.assert_allclose(colour, 4 * pixels[..., None] - np.asarray(MEAN, np.float32), atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), epsilon=st.floats(1e-6, 1e-2), biased=st.booleans())
def test_a_folded_normalisation_is_the_normalisation(seed: int, epsilon: float, biased: bool) -> None:
    rng = np.random.default_rng(seed)
    kernel, vector = rng.standard_normal((4, 3, 1, 1)), rng.standard_normal(3)
    gamma, beta, mean, bias = rng.standard_normal((4, 4))
    variance = rng.random(4) + 0.01
    folded, shift = fold_norm(
        kernel,
        gamma=gamma,
        beta=beta,
        mean=mean,
        variance=variance,
        epsilon=epsilon,
        bias=bias if biased else None,
    )
    raw = kernel[..., 0, 0] @ vector + bias * biased
    expected = gamma * (raw - mean) / np.sqrt(variance + epsilon) + beta
    np.testing.assert_allclose(folded[..., 0, 0] @ vector + shift, expected, rtol=1e-9, atol=1e-9)


def test_padding_before_and_after_may_differ() -> None:
    pixels = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    builder = GraphBuilder("test")
    colour = builder.grey_input(scale=1.0, mean=(0, 0, 0))
    corner = np.zeros((1, 3, 3, 3))
    corner[0, 0, 2, 2] = 1
    value = builder.convolution(colour, corner, np.zeros(1), stride=2, padding=(0, 1))
    np.testing.assert_array_equal(run(builder, value, 1, pixels)[0, ..., 0], [[10, 0], [0, 0]])


@pytest.mark.parametrize(("method", "high"), [("relu", np.inf), ("relu6", 6.0)])
def test_activations_clip(method: str, high: float, rng: np.random.Generator) -> None:
    pixels = rng.random((1, 8, 8), dtype=np.float32)
    builder = GraphBuilder("test")
    value = getattr(builder, method)(builder.grey_input(scale=20.0, mean=(10, 10, 10)))
    expected = np.clip(20 * pixels - 10, 0, high)
    np.testing.assert_allclose(run(builder, value, 3, pixels)[..., 0], expected, atol=1e-5)


def test_pooling_takes_the_largest(rng: np.random.Generator) -> None:
    pixels = rng.random((1, 4, 4), dtype=np.float32)
    builder = GraphBuilder("test")
    value = builder.max_pool(builder.grey_input(scale=1.0, mean=(0, 0, 0)), size=3, stride=2, padding=1)
    pooled = run(builder, value, 3, pixels)[0, ..., 0]
    expected = [
        [pixels[0, :2, :2].max(), pixels[0, :2, 1:].max()],
        [pixels[0, 1:, :2].max(), pixels[0, 1:, 1:].max()],
    ]
    np.testing.assert_array_equal(pooled, expected)


def chain() -> bytes:
    """Three ever deeper outputs."""
    builder = GraphBuilder("chain")
    value = builder.grey_input(scale=1.0, mean=(0, 0, 0))
    outputs = {}
    for name in ("shallow", "middle", "deep"):
        value = builder.relu(builder.convolution(value, np.full((3, 3, 1, 1), 0.5), np.ones(3)))
        outputs[name] = (value, 3)
    return builder.build(outputs)


def test_the_same_network_gives_the_same_bytes() -> None:
    assert chain() == chain()


def test_pruning_keeps_the_asked_outputs_in_the_asked_order_and_drops_the_rest(
    rng: np.random.Generator,
) -> None:
    pixels = rng.random((1, 4, 4), dtype=np.float32)
    whole = Encoder("whole", ("shallow", "middle", "deep"), (3,) * 3, (1,) * 3, chain())(pixels)
    graph = prune(chain(), ("middle", "shallow"))
    pruned = Encoder("pruned", ("middle", "shallow"), (3,) * 2, (1,) * 2, graph)(pixels)
    np.testing.assert_array_equal(pruned, [whole[1], whole[0]])
    model = onnx.load_from_string(graph)
    assert [output.name for output in model.graph.output] == ["middle", "shallow"]
    assert sum(node.op_type == "Conv" for node in model.graph.node) == 2
    assert len(model.graph.initializer) == len(onnx.load_from_string(chain()).graph.initializer) - 2
