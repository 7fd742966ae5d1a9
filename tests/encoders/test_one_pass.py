from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from atypia.encoders import Encoder, load_encoder
from atypia.encoders.one_grid import off_one_grid, on_one_grid
from atypia.encoders.one_pass import one_pass
from atypia.onnx_session import OPENVINO, listening, marked

CUT = ("stage4", "stage8", "stage16")


@pytest.fixture
def runs(monkeypatch):
    """Counts the scans that any network is run on."""
    seen: list[int] = []
    usual = Encoder._run

    def counted(self, pixels):
        seen.append(len(pixels))
        return usual(self, pixels)

    monkeypatch.setattr(Encoder, "_run", counted)
    return seen


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("efficientnet-lite0", cut=CUT, threads=1)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(3).random((2, 64, 64), dtype=np.float32)


def test_averages_are_taken_off_byte_by_byte(encoder):
    assert off_one_grid(on_one_grid(encoder).graph, CUT) == (encoder.graph, (4, 2, 1))
    assert off_one_grid(encoder.graph, CUT) == (encoder.graph, (1, 1, 1))


def test_what_is_no_graph_or_for_another_runtime_is_not_taken_apart(encoder):
    damaged = b"no graph at all: stage8_averaged"
    assert off_one_grid(damaged, CUT) == (damaged, (1, 1, 1))
    graph = marked(on_one_grid(encoder).graph, OPENVINO)
    other = replace(on_one_grid(encoder), graph=graph)
    assert other._bare == (other, (1, 1, 1))


def test_encoders_with_one_network_run_it_once_and_say_the_same(encoder, pixels, runs):
    both = [encoder, on_one_grid(encoder)]
    alone = [each(pixels) for each in both]
    runs.clear()
    with one_pass():
        together = [each(pixels) for each in (*both, *both[::-1])]
    assert runs == [2]
    for found, expected in zip(together, [*alone, *alone[::-1]], strict=True):
        for layer, usual in zip(found, expected, strict=True):
            assert np.allclose(layer, usual, rtol=1e-6, atol=1e-6 * np.abs(usual).max())


def test_other_pixels_and_other_networks_are_run_on_their_own(encoder, pixels, runs):
    other = load_encoder("efficientnet-lite0", cut=("stage8", "stage16"), threads=1)
    with one_pass():
        first, again = encoder(pixels), encoder(pixels.copy())
        other(pixels)
    assert runs == [2, 2, 2]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    encoder(pixels)
    with one_pass():
        encoder(pixels)
    assert runs == [2] * 5


def test_what_is_shared_cannot_be_written_to(encoder, pixels):
    with one_pass(), pytest.raises(ValueError, match="read-only"):
        encoder(pixels)[0][:] = 0


def test_who_listens_hears_each_graph_as_it_is_saved(encoder, pixels):
    heard: list[bytes] = []
    both = [replace(encoder), on_one_grid(encoder)]
    with listening(lambda graph, _: heard.append(graph)), one_pass():
        for each in both:
            each(pixels)
    assert heard == [each.graph for each in both]
