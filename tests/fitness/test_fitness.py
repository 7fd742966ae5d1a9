from __future__ import annotations

import json

import numpy as np
import pytest

from atypia.errors import BadOption, CorruptArtefact
from atypia.fitness import Fitness


def reasons_of(fitness, pixels, foreground):
    return [verdict.reason for verdict in fitness.judge(pixels, foreground)]


def joined(first, second):
    return type(first)(
        np.concatenate([first.pixels, second.pixels]), np.concatenate([first.foreground, second.foreground])
    )


def test_healthy_heads_and_heads_with_a_lesion_stay_judged(fitness, drawn):
    for lesion in (0.0, 0.2, 0.4):
        heads = drawn(20, 3, lesion=lesion)
        assert reasons_of(fitness, heads.pixels, heads.foreground) == [None] * 20


def test_ct_is_unfit_and_the_reason_says_so(fitness, drawn):
    heads = drawn(6, 3, ct=True)
    for verdict in fitness.judge(heads.pixels, heads.foreground):
        assert verdict.unfitness > 1
        assert verdict.reason.startswith("looks like CT")


def test_extreme_noise_is_unfit_and_the_reason_tells_how_much(fitness, drawn, rng):
    heads = drawn(6, 3)
    noisy = np.clip(heads.pixels + rng.normal(0, 0.3, heads.pixels.shape), 0, 1).astype(np.float32)
    for reason in reasons_of(fitness, noisy, heads.foreground):
        assert reason.startswith("far noisier")
        assert f"limit {fitness.noise.value:.3f}" in reason


@pytest.mark.parametrize("kind", ["gradient", "stripes", "flat", "checks"])
def test_what_is_no_head_is_unfit(fitness, kind):
    rows, columns = np.mgrid[:112, :112] / 112
    shown = {
        "gradient": columns,
        "stripes": (rows * 14 % 2 < 1) * 1.0,
        "flat": np.full_like(rows, 0.5),
        "checks": ((rows * 7).astype(int) + (columns * 7).astype(int)) % 2 * 1.0,
    }[kind].astype(np.float32)
    verdict = fitness.judge(shown[None], np.ones((1, 112, 112), bool))[0]
    assert verdict.unfitness > 1
    assert verdict.reason.startswith("unlike any scan learned from (distance ")


def test_ct_among_few_scans_is_left_out_and_still_refused(drawn):
    healthy, aside = joined(drawn(40, 1), drawn(4, 5, ct=True)), joined(drawn(20, 2), drawn(2, 6, ct=True))
    learned = Fitness.learn(healthy, aside, threads=1)
    assert (learned.refuses_ct, learned.learned, learned.left_out) == (True, 40, 6)
    ct = drawn(3, 7, ct=True)
    assert all(reasons_of(learned, ct.pixels, ct.foreground))


def test_where_ct_was_learned_from_it_is_judged(drawn):
    learned = Fitness.learn(drawn(30, 1, ct=True), drawn(20, 2, ct=True), threads=1)
    ct = drawn(10, 3, ct=True)
    assert not learned.refuses_ct
    assert learned.left_out == 0
    assert reasons_of(learned, ct.pixels, ct.foreground) == [None] * 10


def test_too_few_scans_give_no_check(drawn):
    assert Fitness.learn(drawn(20, 1), drawn(4, 2), threads=1) is None


def test_nothing_to_learn_from_is_refused(drawn):
    with pytest.raises(BadOption, match="received none"):
        Fitness.learn(drawn(20, 1), drawn(1, 2).batch(np.arange(0)), threads=1)


@pytest.mark.parametrize("size", [32, 96, 224])
def test_a_preparation_of_any_size_will_do(drawn, size):
    learned = Fitness.learn(drawn(30, 1, size=size), drawn(20, 2, size=size), threads=1)
    heads, ct = drawn(10, 3, size=size), drawn(3, 3, ct=True, size=size)
    assert reasons_of(learned, heads.pixels, heads.foreground) == [None] * 10
    assert all(reasons_of(learned, ct.pixels, ct.foreground))


def test_it_returns_from_json_and_arrays_and_judges_alike(fitness, drawn):
    values = json.loads(json.dumps(fitness.to_dict()))
    again = Fitness.from_state(values, fitness.arrays(), threads=1)
    heads = joined(drawn(3, 3), drawn(3, 3, ct=True))
    assert again.judge(heads.pixels, heads.foreground) == fitness.judge(heads.pixels, heads.foreground)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("distance", None),
        ("noise", {"value": float("nan"), "highest": 1.0}),
        ("learned", "many"),
        ("encoder", "0" * 64),
    ],
)
def test_what_was_not_saved_so_is_refused(fitness, name, value):
    with pytest.raises(CorruptArtefact, match="fitness check"):
        Fitness.from_state({**fitness.to_dict(), name: value}, fitness.arrays())


def test_arrays_that_do_not_fit_are_refused(fitness):
    arrays = fitness.arrays()
    with pytest.raises(CorruptArtefact, match="fitness check"):
        Fitness.from_state(fitness.to_dict(), {**arrays, "mean": arrays["mean"][:-1]})
    with pytest.raises(CorruptArtefact, match="fitness check"):
        Fitness.from_state(fitness.to_dict(), {k: v for k, v in arrays.items() if k != "scale"})


def test_a_montage_is_unfit(fitness, drawn):
    heads = drawn(3, 3)
    told = fitness.judge(heads.pixels, heads.foreground, heads=[1, 2, 4])
    assert [verdict.reason for verdict in told] == [None, None, "a montage: shows 4 heads"]


def test_the_card_is_plain(fitness):
    assert json.loads(json.dumps(fitness.card()))["learned from"] == 40


def test_where_patients_stand_on_both_sides_the_margin_is_wider(drawn):
    apart, shared = (Fitness.learn(drawn(30, 1), drawn(20, 2), threads=1, apart=one) for one in (True, False))
    assert shared.distance.value >= 1.3 * apart.distance.value
    assert (shared.noise, shared.refuses_ct) == (apart.noise, True)
    ct = drawn(6, 3, ct=True)
    assert all(reasons_of(shared, ct.pixels, ct.foreground))
