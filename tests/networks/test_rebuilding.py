from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from atypia.errors import AtypiaError
from atypia.keras_backend import keras
from atypia.networks import export, other_backend
from atypia.networks.export import OUTPUTS
from atypia.networks.other_backend import exported_elsewhere
from atypia.networks.rebuilding import GRAPH, read_model, write_model
from atypia.networks.recipe import RECIPES

OF_A_BACKEND = """
import sys
import numpy as np, onnxruntime
from atypia.keras_backend import keras
from atypia.networks.optimizer import one_cycle
from atypia.networks.restorer import OUTPUTS, make_restorer, make_restoring_scorer
from atypia.networks.unet import build_unet
from atypia.networks.export import check_export, to_onnx

check_export()
rng = np.random.default_rng(0)
draw = lambda *shape: rng.random(shape, dtype=np.float32)
unet = build_unet(32, 1, 1, widths=(4, 6), seed=1, head="glorot_uniform")
model = make_restorer(unet, one_cycle(3e-3, 20), "squared")
inputs, truth = draw(4, 32, 32, 1), draw(4, 32, 32, 2)
losses = [float(model.train_on_batch([inputs], truth, return_dict=True)["loss"]) for _ in range(8)]
scorer = make_restoring_scorer(unet, 64, 2, (), 2.0)
pixels = draw(3, 64, 64)
wanted = [keras().ops.convert_to_numpy(each) for each in scorer(pixels, training=False)]
session = onnxruntime.InferenceSession(to_onnx(scorer, OUTPUTS), providers=["CPUExecutionProvider"])
found = session.run(list(OUTPUTS), {"pixels": pixels})
apart = max(float(np.abs(a - b).max()) for a, b in zip(found, wanted))
finite = all(np.isfinite(each).all() for each in found)
print(keras().backend.backend(), losses[-1] < losses[0], finite, apart)
"""


@pytest.mark.parametrize("name", ["vae", "reference", "ssim"])
def test_a_model_comes_back_from_a_folder(small, tmp_path, name):
    network = small(RECIPES[name])
    network.step()
    write_model(network.scorer(), tmp_path)
    again = read_model(tmp_path)(list(network.feed.values()), training=False)
    for found, expected in zip(again, network.predicted(), strict=True):
        assert np.allclose(np.asarray(found), expected, atol=1e-6)


def test_a_mixed_precision_is_not_written(small, tmp_path, monkeypatch):
    monkeypatch.setenv("ATYPIA_PRECISION", "float16")
    write_model(small(RECIPES["autoencoder"]).scorer(), tmp_path)
    assert "mixed_" not in (tmp_path / GRAPH).read_text(encoding="utf-8")


def test_the_other_process_exports_what_this_one_does(small, run_onnx):
    network = small(RECIPES["autoencoder"])
    network.step()
    elsewhere = exported_elsewhere(network.scorer(), OUTPUTS)
    for found, expected in zip(run_onnx(elsewhere, network.feed), network.predicted(), strict=True):
        assert np.allclose(found, expected, atol=1e-5)


def test_what_cannot_be_rebuilt_is_told_with_a_way_out(monkeypatch):
    monkeypatch.setattr(other_backend, "write_model", lambda *_: None)
    with pytest.raises(
        AtypiaError, match=r"could not be exported by TensorFlow: .*model\.json.*KERAS_BACKEND"
    ):
        exported_elsewhere(None, OUTPUTS)


def test_on_another_backend_the_other_process_is_asked(monkeypatch):
    monkeypatch.setattr(keras().backend, "backend", lambda: "jax")
    monkeypatch.setattr(export, "exported_elsewhere", lambda model, outputs: f"{model} {outputs}")
    assert export.to_onnx("model", ("map",)) == "model ('map',)"


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_backend_trains_and_its_graph_computes_what_it_does(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    program = tmp_path / "program.py"
    program.write_text(OF_A_BACKEND, encoding="utf-8")
    environment = os.environ | {"KERAS_BACKEND": backend, "ATYPIA_PRECISION": "float32"}
    done = subprocess.run(
        [sys.executable, str(program)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    name, learned, finite, apart = done.stdout.split()
    assert (name, learned, finite) == (backend, "True", "True")
    assert float(apart) < 1e-4
