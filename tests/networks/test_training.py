from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atypia.errors import TrainingDiverged
from atypia.networks.recipe import RECIPES, Recipe
from atypia.networks.reconstructor import plan_of
from atypia.networks.training import Plan, pace, train

RECIPE = Recipe(epochs=4, batch_size=4, augment=0)


@pytest.fixture
def checkpoint(tmp_path):
    return tmp_path / "checkpoint.npz"


@pytest.fixture
def fit(stand_in, checkpoint):
    """`fit(recipe, resume=..., mixed=...)` trains a stand-in and returns it, its examples and the history."""

    def run(recipe=RECIPE, *, seed=5, examples=None, mixed=None, **plan):
        model, examples = stand_in.StandIn(), examples or stand_in.Lines()
        return (
            model,
            examples,
            train(model, examples, plan_of(recipe, model, seed, checkpoint, **plan), mixed),
        )

    return run


def without_seconds(history):
    return [{name: value for name, value in entry.items() if name != "seconds"} for entry in history]


def test_history_has_an_entry_for_each_epoch(fit):
    _, _, history = fit()
    assert [entry["epoch"] for entry in history] == [1, 2, 3, 4]
    assert all(set(entry) == {"epoch", "loss", "seconds"} for entry in history)
    losses = [entry["loss"] for entry in history]
    assert losses == sorted(losses, reverse=True)


def test_the_loss_of_an_epoch_is_the_mean_over_its_scans(fit, stand_in):
    model, examples, history = fit(replace(RECIPE, epochs=1, learning_rate=1e-3))
    again = stand_in.StandIn()
    again.optimizer.build(again.trainable_variables)
    losses = []
    for indices, _ in list(examples.asked):
        inputs, truth = examples.get(np.array(indices), 0)
        again.reset_metrics()
        losses += [again.train_on_batch(inputs, truth, return_dict=True)["loss"]] * len(indices)
    assert history[0]["loss"] == pytest.approx(np.mean(losses))
    assert again.weight.value == model.weight.value


def test_every_epoch_sees_every_scan_once_in_another_order(fit):
    model, examples, _ = fit()
    assert model.batches == [4, 4, 4, 1] * 4
    orders = [sum((indices for indices, _ in examples.asked[i : i + 4]), ()) for i in range(0, 16, 4)]
    assert all(sorted(order) == list(range(13)) for order in orders)
    assert len(set(orders)) == 4


def test_epoch_size_draws_so_many_scans_anew_for_each_epoch(fit):
    model, examples, history = fit(replace(RECIPE, epoch_size=6))
    assert model.batches == [4, 2] * 4
    drawn = [sum((indices for indices, _ in examples.asked[i : i + 2]), ()) for i in range(0, 8, 2)]
    assert all(len(set(epoch)) == 6 for epoch in drawn)
    assert len(set(drawn)) == 4
    assert len(history) == 4


def test_an_epoch_is_never_longer_than_the_set(fit):
    model, _, _ = fit(replace(RECIPE, epoch_size=500, epochs=1))
    assert sum(model.batches) == 13


def test_epochs_take_turns_with_the_altered_copies(fit):
    _, examples, _ = fit(replace(RECIPE, epochs=5, augment=2, batch_size=50))
    assert [view for _, view in examples.asked] == [0, 1, 2, 0, 1]


def test_without_views_every_epoch_is_handed_its_own_number(stand_in, checkpoint):
    examples = stand_in.Lines()
    plan = Plan({}, 5, checkpoint, epochs=3, batch_size=50, learning_rate=0.1, views=0, ahead=4)
    train(stand_in.StandIn(), examples, plan)
    assert [view for _, view in examples.asked] == [0, 1, 2]


def test_an_epoch_of_several_passes_counts_them_on(stand_in, checkpoint):
    examples = stand_in.Lines()
    plan = Plan(
        {}, 5, checkpoint, epochs=2, batch_size=50, learning_rate=0.1, rounds=3, epoch_size=5, views=0
    )
    history = train(stand_in.StandIn(), examples, plan)
    assert [view for _, view in examples.asked] == list(range(6))
    assert len({indices for indices, _ in examples.asked}) == 6
    assert len(history) == 2


@pytest.mark.parametrize("scans", [10, 15, 16, 40, 257, 1400, 100_000])
def test_steps_are_made_in_epochs_of_some_length_and_batches_of_one_size(scans):
    way = pace(800, scans, 16)
    per_epoch = way.steps / way.epochs
    assert way.steps == way.epochs * way.rounds * max(1, way.epoch_size // 16)
    assert per_epoch >= 25
    assert abs(way.steps - 800) <= max(20, per_epoch / 2) or way.epochs == 1
    assert way.epoch_size <= scans
    assert way.epoch_size % 16 == 0 or way.epoch_size < 16


def test_what_is_to_be_done_before_an_epoch_is_told_which(stand_in, checkpoint):
    begun = []
    plan = Plan({}, 5, checkpoint, epochs=3, batch_size=5, learning_rate=0.1, before_epoch=begun.append)
    train(stand_in.StandIn(), stand_in.Lines(), plan)
    assert begun == [0, 1, 2]


def test_same_seed_same_training_and_another_seed_another(fit):
    first, again, other = (fit(seed=seed)[2] for seed in (5, 5, 6))
    assert without_seconds(first) == without_seconds(again)
    assert without_seconds(first) != without_seconds(other)


@pytest.mark.parametrize(("anneal", "weights"), [(4, [0.2, 0.4, 0.6, 0.8, 0.8]), (0, [0.8] * 5)])
def test_the_kl_term_is_annealed_linearly(fit, anneal, weights):
    model, _, _ = fit(replace(RECIPE, epochs=5, kl_weight=0.8, kl_anneal=anneal))
    assert model.kl_now.given == pytest.approx(weights)


def test_a_mixed_set_is_told_and_chooses_nothing(fit, stand_in):
    alone, _, history = fit()
    mixed = stand_in.Lines(count=9, seed=4)
    beside, _, told = fit(mixed=mixed)
    assert beside.weight.value == alone.weight.value
    assert [{**entry, "validation_loss": 0} for entry in without_seconds(history)] == [
        {**entry, "validation_loss": 0} for entry in without_seconds(told)
    ]
    error = (beside.weight.value - 3) * mixed.inputs
    assert told[-1]["validation_loss"] == pytest.approx(np.mean(error**2), rel=1e-5)


def test_a_mixed_loss_that_is_no_number_is_left_out(fit, stand_in):
    mixed = stand_in.Lines(count=9)
    mixed.inputs[3] = np.nan
    _, _, history = fit(mixed=mixed)
    assert len(history) == 4
    assert all("validation_loss" not in entry for entry in history)


class Spoiled:
    """Examples that cannot be learned from, from an epoch on: too large, no numbers, or an error."""

    def __init__(self, lines, epoch: int, error: Exception | None = None, factor: float = 1e30) -> None:
        self.lines, self.left, self.error, self.factor = lines, 4 * (epoch - 1), error, factor
        self.fingerprint = lines.fingerprint

    def __len__(self) -> int:
        return len(self.lines)

    def get(self, indices, view):
        inputs, truth = self.lines.get(indices, view)
        self.left -= 1
        if self.left >= 0:
            return inputs, truth
        if self.error is not None:
            raise self.error
        return [inputs[0] * np.float32(self.factor)], truth


def test_a_loss_that_is_no_number_ends_training_and_keeps_the_epoch_before(fit, stand_in):
    with pytest.raises(TrainingDiverged, match=r"epoch 3\..*rate 0\.001.*after epoch 2 is kept in .*npz"):
        fit(examples=Spoiled(stand_in.Lines(), 3))
    resumed, _, history = fit(resume=True)
    assert len(resumed.batches) == 8
    assert len(history) == 4


def test_values_that_are_no_numbers_are_told_as_the_cause(fit, stand_in):
    with pytest.raises(TrainingDiverged, match=r"epoch 2\..*what was read holds values that are no numbers"):
        fit(examples=Spoiled(stand_in.Lines(), 2, factor=np.nan))


def test_nothing_is_said_to_be_kept_where_the_first_epoch_diverges(fit, stand_in, checkpoint):
    with pytest.raises(TrainingDiverged, match=r"epoch 1\.") as caught:
        fit(examples=Spoiled(stand_in.Lines(), 1))
    assert "Nothing was kept" in str(caught.value)
    assert not checkpoint.exists()


@pytest.mark.parametrize("epoch", [1, 2, 4])
def test_resuming_gives_what_an_undisturbed_run_gives(fit, stand_in, epoch):
    whole, _, expected = fit()
    with pytest.raises(KeyboardInterrupt):
        fit(examples=Spoiled(stand_in.Lines(), epoch, KeyboardInterrupt()))
    resumed, _, history = fit(resume=epoch > 1)
    assert len(resumed.batches) == 4 * (4 - epoch + 1)
    assert resumed.weight.value == whole.weight.value
    assert without_seconds(history) == without_seconds(expected)


def test_a_finished_training_is_not_repeated_and_may_be_lengthened(fit):
    _, _, history = fit()
    model, _, again = fit(resume=True)
    assert model.batches == []
    assert again == history
    longer, _, more = fit(replace(RECIPE, epochs=6), resume=True)
    assert len(longer.batches) == 8
    assert more[:4] == history
    assert without_seconds(more) == without_seconds(fit(replace(RECIPE, epochs=6))[2])


def test_without_resume_a_checkpoint_is_not_used(fit):
    fit()
    assert len(fit()[0].batches) == 16


@pytest.mark.parametrize("change", ["seed", "recipe", "data", "count"])
def test_a_checkpoint_of_another_training_is_not_used(fit, stand_in, capsys, change):
    fit()
    other = stand_in.Lines(12) if change == "count" else stand_in.Lines()
    other.fingerprint = "others" if change == "data" else other.fingerprint
    recipe = replace(RECIPE, learning_rate=0.5) if change == "recipe" else RECIPE
    _, _, history = fit(recipe, seed=6 if change == "seed" else 5, examples=other, resume=True)
    assert len(history) == 4
    assert "of another training" in capsys.readouterr().err


def test_epochs_are_told_in_some_ten_lines_where_there_is_no_terminal(fit, capsys):
    fit(replace(RECIPE, epochs=35))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"epoch {n}/35" for n in (*range(3, 34, 3), 35)]
    assert "loss 0." in lines[-1]


# The real thing: a process that is killed, again and again.

EPOCHS = 60


def start(checkpoint: Path, kill_at: int = 0) -> subprocess.Popen:
    script = Path(__file__).with_name("stand_in.py")
    words = [sys.executable, script, checkpoint, str(EPOCHS), str(kill_at)]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(fit) -> list[dict[str, float]]:
    model, _, history = fit(replace(Recipe(batch_size=4), epochs=EPOCHS), resume=True)
    assert len(model.batches) < 4 * EPOCHS
    return without_seconds(history)


@pytest.fixture(scope="module")
def undisturbed(stand_in, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "checkpoint.npz"
    recipe = Recipe(epochs=EPOCHS, batch_size=4)
    model = stand_in.StandIn()
    return without_seconds(train(model, stand_in.Lines(), plan_of(recipe, model, 5, path)))


def test_kills_at_any_moment_lose_no_more_than_an_epoch(checkpoint, fit, undisturbed, rng):
    for _ in range(3):
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        with start(checkpoint) as process:
            while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before:
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.1))
            process.kill()
        assert process.returncode == -signal.SIGKILL
    assert finish(fit) == undisturbed


@pytest.mark.parametrize("epoch", [1, 20])
def test_a_kill_in_the_middle_of_a_checkpoint_loses_that_epoch_alone(checkpoint, fit, undisturbed, epoch):
    with start(checkpoint, kill_at=epoch) as process:
        assert process.wait(60) == -signal.SIGKILL
    assert checkpoint.with_suffix(".part").exists()
    assert checkpoint.exists() == (epoch > 1)
    if epoch > 1:
        assert finish(fit) == undisturbed
        assert not checkpoint.with_suffix(".part").exists()


# And with Keras, whose random states have to come back as well.


class Stored:
    """The data of a small network as examples; as the third epoch begins, the checkpoint may be copied."""

    fingerprint = "small"

    def __init__(self, small, copy: Callable[[], object] = lambda: None) -> None:
        self.small, self.copy, self.left = small, copy, 2 * 3

    def __len__(self) -> int:
        return len(self.small.pixels)

    def get(self, indices, view):
        del view
        if self.left == 0:
            self.copy()
        self.left -= 1
        return [maps[indices] for maps in self.small.features], self.small.pixels[indices]


def test_a_keras_training_resumed_is_the_same_training(small, checkpoint, tmp_path):
    """What a process leaves that is killed in the third epoch is the checkpoint that lies there then."""
    left = tmp_path / "left.npz"
    recipe = replace(RECIPES["vae"], batch_norm=True, epochs=4, batch_size=2, learning_rate=0.01)

    def run(path, *, resume=False, mixed=False):
        network = small(recipe)
        model = network.model
        plan = plan_of(network.recipe, model, 1, path, resume)
        examples = Stored(network, lambda: shutil.copy(path, left))
        history = train(model, examples, plan, Stored(network) if mixed else None)
        return model.get_weights(), without_seconds(history)

    weights, history = run(checkpoint)
    again, resumed = run(left, resume=True, mixed=True)
    assert all("validation_loss" in entry for entry in resumed[2:])
    for entry in resumed:
        entry.pop("validation_loss", None)
    assert len(resumed) == len(history) == 4
    for found, expected in zip(resumed, history, strict=True):
        assert found == pytest.approx(expected, rel=1e-4)
    # A bias in front of a batch normalisation has no gradient but rounding, which Adam makes into steps.
    for found, expected in zip(again, weights, strict=True):
        assert np.allclose(found, expected, atol=1e-3)
    assert history[-1]["loss"] < history[0]["loss"]
