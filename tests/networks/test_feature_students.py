from __future__ import annotations

import numpy as np
import pytest

from atypia.networks.export import to_onnx
from atypia.networks.feature_students import (
    OUTPUTS,
    build_feature_autoencoder,
    build_reverse_distillation,
    make_feature_scorer,
    make_learner,
)
from atypia.networks.optimizer import one_cycle
from atypia.networks.whitening import Whitening
from atypia.onnx_session import open_session

SHAPES = [(8, 8, 6), (4, 4, 10)]
SIZE, COUNT = 32, 6


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(1)
    return [rng.gamma(1, 1, (COUNT, *shape)).astype(np.float32) for shape in SHAPES]


@pytest.fixture(scope="module")
def whitening(features):
    return [Whitening.learn(maps.reshape(-1, maps.shape[-1]), 4) for maps in features]


STUDENTS = {
    "reverse distillation": lambda w: build_reverse_distillation(SHAPES, w, 8, seed=1),
    "ssim": lambda w: build_feature_autoencoder(SHAPES, w, (8, 6), "ssim", seed=1),
    "cosine": lambda w: build_feature_autoencoder(SHAPES, w, (8, 6), "cosine", seed=1),
}


@pytest.mark.parametrize(
    ("name", "whitened"),
    [("cosine", False), ("reverse distillation", True), ("reverse distillation", False), ("ssim", True)],
)
def test_a_student_learns_and_its_graph_gives_the_error_at_pixels(name, whitened, features, whitening):
    student = STUDENTS[name](whitening if whitened else [])
    model = make_learner(student, one_cycle(1e-2, 30))
    truth = np.zeros((COUNT, 3, 3), np.float32)
    losses = []
    for _ in range(12):
        model.reset_metrics()
        losses.append(float(model.train_on_batch(features, truth, return_dict=True)["loss"]))
    assert losses[-1] < losses[0]
    graph = to_onnx(make_feature_scorer(student, SIZE, 0.0), OUTPUTS)
    feed = {f"features_{i}": maps for i, maps in enumerate(features)}
    (heat,) = open_session(graph, "The student").run(None, feed)
    assert heat.shape == (COUNT, SIZE, SIZE)
    model.reset_metrics()
    told = float(model.test_on_batch(features, truth, return_dict=True)["loss"])
    assert heat.mean() == pytest.approx(told, rel=0.05)
    most = 4 if name == "reverse distillation" else 2
    assert ((heat >= -1e-5) & (heat <= most + 1e-5)).all()


def test_reverse_distillation_has_an_error_for_each_layer_and_the_autoencoder_one(whitening):
    assert [e.shape[1:] for e in STUDENTS["reverse distillation"](whitening).errors] == [(4, 4), (8, 8)]
    assert [e.shape[1:] for e in STUDENTS["ssim"](whitening).errors] == [(8, 8)]


def test_the_whitening_is_not_trained(whitening):
    student = STUDENTS["ssim"](whitening)
    model = make_learner(student, one_cycle(1e-2, 30))
    frozen = {id(v) for v in model.non_trainable_variables}
    fixed = [v for v in model.variables if v.shape == (10, 4)]
    assert len(fixed) == 1
    assert id(fixed[0]) in frozen


def test_one_layer_and_odd_grids_are_enough():
    student = build_feature_autoencoder([(7, 7, 5)], [], (6, 4), "ssim", seed=0)
    assert student.errors[0].shape[1:] == (7, 7)
    assert build_reverse_distillation([(8, 8, 5)], [], 4, seed=0).errors[0].shape[1:] == (8, 8)
