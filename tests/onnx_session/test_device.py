from __future__ import annotations

from typing import ClassVar

import onnxruntime
import pytest

from atypia.encoders.graph import GraphBuilder
from atypia.errors import BadOption
from atypia.onnx_session import device, open_session
from atypia.onnx_session.device import DEVICE, ON_CPU, ON_CUDA, _cuda_works, providers


class Session:
    """Stands for a session of a build with CUDA: on a GPU, or where its libraries or its GPU are missing."""

    opened: ClassVar[list[object]] = []
    found: ClassVar[list[str]] = [ON_CUDA, ON_CPU]

    def __init__(self, graph, sess_options, providers):  # noqa: ARG002
        assert b"Neg" in graph
        self.opened.append(providers)

    def get_providers(self):
        return self.found


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch):
    monkeypatch.delenv(DEVICE, raising=False)
    monkeypatch.setattr(Session, "opened", [])
    _cuda_works.cache_clear()
    yield
    _cuda_works.cache_clear()


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [ON_CUDA, ON_CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)


@pytest.mark.usefixtures("gpu")
def test_a_gpu_is_used_where_there_is_one_in_full_precision():
    assert device() == "cuda"
    (name, options), last = providers(b"a graph")
    assert (name, last) == (ON_CUDA, ON_CPU)
    assert options["use_tf32"] == "0"
    assert device() == "cuda"
    assert len(Session.opened) == 1


@pytest.mark.usefixtures("gpu")
def test_graphs_in_8_bits_stay_on_the_processor():
    assert providers(b"a QuantizeLinear b") == [ON_CPU]


@pytest.mark.usefixtures("gpu")
def test_the_processor_may_be_asked_for(monkeypatch):
    monkeypatch.setenv(DEVICE, "cpu")
    assert device() == "cpu"
    assert providers(b"a graph") == [ON_CPU]
    assert not Session.opened


@pytest.mark.usefixtures("gpu")
def test_a_build_with_cuda_on_a_machine_without_uses_the_processor(monkeypatch):
    monkeypatch.setattr(Session, "found", [ON_CPU])
    assert device() == "cpu"
    monkeypatch.setenv(DEVICE, "cuda")
    with pytest.raises(BadOption, match="a GPU that ONNX Runtime can use"):
        device()


def test_a_build_without_cuda_says_so_where_it_is_demanded(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [ON_CPU])
    assert device() == "cpu"
    monkeypatch.setenv(DEVICE, "cuda")
    with pytest.raises(BadOption, match="onnxruntime-gpu"):
        open_session(_graph(), "A graph")


def test_another_word_is_refused(monkeypatch):
    monkeypatch.setenv(DEVICE, "tpu")
    with pytest.raises(BadOption, match="expected auto, cpu or cuda; received 'tpu'"):
        device()


def _graph() -> bytes:
    builder = GraphBuilder("grey")
    return builder.build({"grey": (builder.grey_input(scale=1.0, mean=(0, 0, 0)), 3)})
