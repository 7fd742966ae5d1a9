from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from atypia.encoders.base import Encoder
from atypia.encoders.graph import GraphBuilder
from atypia.errors import BadOption, CorruptArtefact


def tiny_encoder() -> Encoder:
    """Two cuts, the deeper one first: sums of pixels in 2x2 and in 1x1 windows, in grey values of -1..1."""
    builder = GraphBuilder("tiny")
    colour = builder.grey_input(scale=2.0, mean=(1.0, 1.0, 1.0))
    pairs = builder.convolution(colour, np.ones((2, 3, 2, 2)), np.zeros(2), stride=2)
    outputs = {"coarse": (pairs, 2), "fine": (colour, 3)}
    return Encoder("tiny", ("coarse", "fine"), (2, 3), (2, 1), builder.build(outputs))


def two_inputs() -> bytes:
    pixels = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", "H", "W"]) for name in "ab"]
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["N", "H", "W"])
    graph = helper.make_graph([helper.make_node("Add", ["a", "b"], ["out"])], "two", pixels, [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


def test_gives_one_channels_last_map_for_each_cut_in_order(rng: np.random.Generator) -> None:
    pixels = rng.random((3, 4, 6), dtype=np.float32)
    coarse, fine = tiny_encoder()(pixels)
    assert (coarse.shape, fine.shape) == ((3, 2, 3, 2), (3, 4, 6, 3))
    assert (coarse.dtype, fine.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(fine, np.repeat(2 * pixels[..., None] - 1, 3, axis=-1), atol=1e-6)
    windows = (2 * pixels - 1).reshape(3, 2, 2, 3, 2).sum((2, 4))
    np.testing.assert_allclose(coarse, np.repeat(3 * windows[..., None], 2, axis=-1), atol=1e-5)


def test_a_scan_gets_the_same_features_alone_as_in_a_batch(rng: np.random.Generator) -> None:
    encoder, pixels = tiny_encoder(), rng.random((5, 4, 4), dtype=np.float32)
    whole = encoder(pixels)[0]
    np.testing.assert_array_equal(whole, np.concatenate([encoder(pixels[[i]])[0] for i in range(5)]))


@pytest.mark.parametrize("shape", [(4, 4), (1, 4, 4, 1), (1, 5, 4), (1, 4, 3)])
def test_refuses_pixels_of_a_wrong_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadOption, match=r"S a multiple of 2, received"):
        tiny_encoder()(np.zeros(shape, np.float32))


def test_comes_back_from_its_description_and_graph(rng: np.random.Generator) -> None:
    encoder, pixels = tiny_encoder(), rng.random((1, 4, 4), dtype=np.float32)
    stored = json.loads(json.dumps(encoder.to_dict()))
    again = Encoder.from_dict(stored, encoder.graph, threads=1)
    assert again.to_dict() == encoder.to_dict()
    assert again.fingerprint == hashlib.sha256(encoder.graph).hexdigest()
    np.testing.assert_array_equal(again(pixels)[0], encoder(pixels)[0])


def test_a_changed_graph_is_refused() -> None:
    encoder = tiny_encoder()
    with pytest.raises(CorruptArtefact, match="SHA-256"):
        Encoder.from_dict(encoder.to_dict(), encoder.graph + b"\0")


@pytest.mark.parametrize("change", [{"cut": None}, {"strides": [2]}, {"channels": ["many", 3]}, {"cut": []}])
def test_a_broken_description_is_refused(change: dict[str, object]) -> None:
    encoder = tiny_encoder()
    with pytest.raises(CorruptArtefact, match="description"):
        Encoder.from_dict(encoder.to_dict() | change, encoder.graph)


@pytest.mark.parametrize(
    ("graph", "words"), [(b"no graph", "not a usable ONNX model"), (two_inputs(), "inputs and outputs")]
)
def test_refuses_a_graph_that_is_no_encoder(graph: bytes, words: str) -> None:
    with pytest.raises(CorruptArtefact, match=words):
        Encoder("odd", ("only",), (1,), (1,), graph)(np.zeros((1, 4, 4), np.float32))


def test_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        tiny_encoder().name = "other"  # type: ignore[misc]


def test_threads_bound_the_session() -> None:
    encoder = dataclasses.replace(tiny_encoder(), threads=1)
    encoder(np.zeros((1, 4, 4), np.float32))
    assert encoder._session.get_session_options().intra_op_num_threads == 1
    assert onnx.load_from_string(encoder.graph).graph.input[0].name == "pixels"


def test_a_graph_for_one_size_refuses_the_others(rng: np.random.Generator) -> None:
    model = onnx.load_from_string(tiny_encoder().graph)
    for axis in (1, 2):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = 4
    fixed = dataclasses.replace(tiny_encoder(), graph=model.SerializeToString())
    assert len(fixed(rng.random((2, 4, 4), dtype=np.float32))) == 2
    with pytest.raises(BadOption, match=r"\(N, 4, 4\), the only size that it takes, received \(2, 6, 6\)"):
        fixed(rng.random((2, 6, 6), dtype=np.float32))
