from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from PIL import Image, ImageOps

from atypia import keras_backend
from atypia.destination import held_file
from atypia.networks.checkpoint import Checkpoint
from atypia.reading.collection import Collection, read_collection, write_collection
from atypia.reading.row import Row
from atypia.screener import Screener

EMBEDDED = ("--encoder", "efficientnet-lite0")
NEAREST = ("--detector", "nearest", *EMBEDDED, "--size", 64)
QUICK = (*EMBEDDED, "--size", 64, "--set", "augment=0", "--set", "decoder=16,8,8,8,8")


@pytest.fixture
def healthy(phantom_table):
    return phantom_table.parent / "healthy"


def test_a_folder_alone_is_enough(atypia, healthy, tmp_path):
    file = tmp_path / "new" / "brain.atypia"
    outcome = atypia("fit", healthy, "-o", file, *NEAREST)
    assert outcome.code == 0
    first, second = outcome.err.splitlines()
    assert first == "detector nearest, encoder efficientnet-lite0"
    assert second.startswith("No group is known of 40 of 40 scans: no near-copies, and copies stay together")
    assert outcome.out.splitlines()[0] == "learned from 32 healthy scans, calibrated on 8 others"
    assert f"saved {file}\nnext: atypia score {file} SCANS" in outcome.out
    assert [path.name for path in file.parent.iterdir()] == ["brain.atypia"]
    assert len(Screener.load(file).threshold_.healthy) == 8


def test_near_copies_are_not_looked_for_where_told_not_to(atypia, healthy, tmp_path):
    outcome = atypia("fit", healthy, "-o", tmp_path / "brain.atypia", *NEAREST, "--no-cluster")
    assert outcome.err == "detector nearest, encoder efficientnet-lite0\n"


def test_near_copies_stay_on_one_side_of_the_threshold(atypia, healthy, tmp_path):
    """Of ten pictures, four times each, a fifth of forty is two clusters of four."""
    folder = tmp_path / "copies"
    folder.mkdir()
    for number in range(10):
        picture = Image.open(healthy / f"{number:04}.png")
        for turn in range(4):
            picture.rotate(90 * turn).save(folder / f"{number}-{turn}.png")
    outcome = atypia("fit", folder, "-o", tmp_path / "brain.atypia", *NEAREST)
    assert "10 clusters of near-copies with 40 scans" in outcome.err
    assert len(set(Screener.load(tmp_path / "brain.atypia").threshold_.calibration.groups)) == 2


def test_a_table_says_what_is_learned_and_what_calibrates(atypia, phantom_table, tmp_path):
    file = tmp_path / "brain.atypia"
    options = ("--rule", "quantile", "--parameter", 0.5, "--threads", 1)
    outcome = atypia("fit", phantom_table, "-o", file, *NEAREST, *options)
    assert "learned from 24 healthy scans, calibrated on 8 others" in outcome.out
    assert "(quantile, 0.5)" in outcome.out
    assert Screener.load(file).rule == "quantile"


def test_the_autoencoder_tells_what_it_builds_on_and_how_it_learns(autoencoder_fit):
    file, outcome = autoencoder_fit
    assert outcome.code == 0
    first, *rest = outcome.err.splitlines()
    assert first == "detector autoencoder (recipe autoencoder), encoder efficientnet-lite0"
    assert rest[-1].startswith("epoch 1/1: ")
    assert "\r" not in outcome.err
    assert not file.with_name(f"{file.name}.work").exists()


def test_auto_says_which_encoder_it_took_and_why(atypia, healthy, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    outcome = atypia("fit", healthy, "-o", tmp_path / "brain.atypia", "--detector", "nearest", "--size", 64)
    told = "encoder efficientnet-lite0 (auto: the weights of ResNet50 are not on this machine)"
    assert told in outcome.err.splitlines()[0]


def test_named_weights_mean_resnet50(atypia, healthy, tmp_path):
    weights = tmp_path / "weights.h5"
    weights.write_text("no weights")
    outcome = atypia("fit", healthy, "-o", tmp_path / "brain.atypia", "--weights", weights)
    assert "encoder resnet50 (auto: its weights were named)" in outcome.err
    assert outcome.code == 4
    assert f"{weights}: expected a Keras weights file" in outcome.err
    assert {path.name for path in tmp_path.iterdir()} == {"weights.h5"}


def test_weights_that_are_not_there_are_code_4(atypia, healthy, tmp_path):
    outcome = atypia("fit", healthy, "-o", tmp_path / "brain.atypia", "--weights", tmp_path / "none.h5")
    assert outcome.code == 4
    assert f"{tmp_path / 'none.h5'}: expected a weights file" in outcome.err


def test_class_folders_with_tumours_are_refused_with_what_to_type(atypia, phantom_table, tmp_path):
    folder = tmp_path / "my scans"
    for name, source in (("Healthy", "healthy"), ("Tumor", "abnormal")):
        shutil.copytree(phantom_table.parent / source, folder / name)
    file = tmp_path / "brain.atypia"
    outcome = atypia("fit", folder, "-o", file)
    assert outcome.code == 2
    assert "received 8 abnormal ones of 48, such as Tumor/0000.png" in outcome.err
    assert f"\n  atypia fit '{folder / 'Healthy'}' -o {file}\n" in outcome.err
    assert f"\n  atypia split '{folder}' -o {tmp_path / 'table.csv'}\n" in outcome.err
    assert not file.exists()


def test_a_table_with_labels_and_no_splits_is_told_to_split(atypia, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("path,label\na.png,normal\nb.png,abnormal\n")
    outcome = atypia("fit", table, "-o", tmp_path / "brain.atypia")
    assert outcome.code == 2
    assert f"Part them, to learn from some and test on the others:\n  atypia split {table}" in outcome.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ("--detector", "nearest", "--epochs", 3, "--learning-rate", 1),
            "only autoencoder takes --epochs, --learning-rate; nearest has settings of its own",
        ),
        (("--detector", "autoencoder", "--set", "code=x"), "--set code: expected values with commas"),
        (("--set", "code=8"), "members, MEMBER.NAME); received 'code=8'. The autoencoder has it"),
        (
            ("--detector", "atlas", "--set", "frob=1"),
            "a setting of the detector atlas (retrieved, dark, top)",
        ),
        (("--detector", "atlas", "--set", "top=high"), "--set top: expected a number, such as 0.01"),
        (("--detector", "atlas", "--set", "top=2"), "Expected top in (0, 1]; received 2"),
        (("--detector", "atlas", "--set", "members=nearest,intensity"), "a setting of the detector atlas"),
        (("--set", "members=atlas"), "two or more different members of an ensemble; received atlas"),
        (("--set", "members=atlas,nobody"), "received 'nobody'"),
        (("--set", "members=atlas,intensity", "--set", "rule=best"), "rule out of map, stouffer"),
        (
            ("--set", "members=atlas,intensity", "--set", "nearest.top=1"),
            "the detector ensemble (rule, aside, tops",
        ),
        (("--set", "members=atlas,intensity", "--set", "atlas.frob=1"), "a setting of the detector atlas"),
        (("--validation",), "expected rows whose split is validation"),
        (("--rule", "quantile", "--parameter", 2), "between 0 and 1"),
        ((*EMBEDDED, "--weights", "x.h5"), "has its own weights"),
        (
            ("--detector", "nearest", "--set", "adapt=5", "--encoder", "keras:MobileNet"),
            "Adaptation is for the encoders resnet50 and efficientnet-lite0; received keras:MobileNet",
        ),
    ],
)
def test_options_that_contradict_each_other_are_code_2(atypia, healthy, tmp_path, options, told):
    outcome = atypia("fit", healthy, "-o", tmp_path / "brain.atypia", *options)
    assert outcome.code == 2
    assert told in outcome.err
    assert not list(tmp_path.iterdir())


def test_without_keras_nearest_is_taken_and_that_is_said(atypia, healthy, tmp_path, monkeypatch):
    monkeypatch.setattr(keras_backend, "available", lambda: False)
    outcome = atypia("fit", healthy, "-o", tmp_path / "brain.atypia", *EMBEDDED, "--size", 64)
    assert outcome.code == 0
    assert 'detector nearest (the ensemble needs pip install "atypia[train]")' in outcome.err


def test_without_keras_what_only_training_has_is_code_4(atypia, healthy, tmp_path, monkeypatch):
    monkeypatch.setattr(keras_backend, "available", lambda: False)
    adapting = ("--detector", "nearest", "--set", "adapt=5")
    of_a_member = ("--set", "members=nearest,atlas", "--set", "nearest.adapt=5")
    trained = (("--recipe", "vae"), ("--detector", "lesion-simulation"), ("--detector", "ensemble"))
    for asked in (*trained, adapting, of_a_member):
        outcome = atypia("fit", healthy, "-o", tmp_path / "brain.atypia", *asked, *EMBEDDED)
        assert outcome.code == 4
        assert 'pip install "atypia[train]"' in outcome.err


def test_an_ensemble_is_made_of_the_members_asked_for(atypia, healthy, tmp_path, monkeypatch):
    monkeypatch.setattr(keras_backend, "available", lambda: False)  # of these members none is trained
    file = tmp_path / "brain.atypia"
    words = ("--set", "members=atlas, intensity", "--set", "rule=max", "--set", "intensity.percent=90")
    outcome = atypia("fit", healthy, "-o", file, "--size", 64, *words)
    assert outcome.code == 0, outcome.err
    assert outcome.err.splitlines()[0] == "detector ensemble (atlas, intensity)"
    ensemble = Screener.load(file).detector
    assert (ensemble.name, ensemble.rule) == ("ensemble", "max")
    assert [member.name for member in ensemble.members] == ["atlas", "intensity"]
    assert ensemble.members[1].percent == 90


def test_an_interrupted_member_of_the_ensemble_can_go_on(atypia, healthy, tmp_path, monkeypatch):
    def interrupted(*_, work, **__):
        (work / "0-lesion-simulation").mkdir(parents=True, exist_ok=True)
        (work / "0-lesion-simulation" / "checkpoint.npz").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(Screener, "fit", interrupted)
    words = ("fit", healthy, "-o", tmp_path / "brain.atypia", *EMBEDDED)
    for more in ((), ("--resume",)):
        outcome = atypia(*words, *more)
        assert outcome.code == 130
        assert "add --resume to the same command" in outcome.err
        assert "no training to go on with" not in outcome.err


def test_a_place_that_cannot_be_written_is_told_before_the_work(atypia, healthy, tmp_path):
    (tmp_path / "file").write_text("in the way")
    outcome = atypia("fit", healthy, "-o", tmp_path, *NEAREST)
    assert (outcome.code, outcome.out) == (6, "")
    assert "expected the name of a file, received a folder" in outcome.err
    outcome = atypia("fit", healthy, "-o", tmp_path / "file" / "brain.atypia", *NEAREST)
    assert outcome.code == 6
    assert outcome.err.startswith(f"atypia: {tmp_path / 'file'}: expected a folder")


def test_an_older_file_is_replaced(atypia, healthy, tmp_path):
    file = tmp_path / "brain.atypia"
    file.write_text("old")
    assert atypia("fit", healthy, "-o", file, *NEAREST).code == 0
    assert Screener.load(file).detector.name == "nearest"


def test_scans_left_out_are_named_and_give_code_1(atypia, healthy, tmp_path):
    folder = tmp_path / "scans"
    shutil.copytree(healthy, folder)
    (folder / "broken.png").write_text("no picture")
    file = tmp_path / "brain.atypia"
    outcome = atypia("fit", folder, "-o", file, *NEAREST)
    assert outcome.code == 1
    assert f"left out: {folder / 'broken.png'}: expected a JPEG" in outcome.err
    assert file.exists()


def test_an_interrupted_training_goes_on(atypia, phantom_table, tmp_path, monkeypatch):
    """Ctrl-C before the second of three epochs is kept, then --resume: the first is not done again."""
    file, work = tmp_path / "brain.atypia", tmp_path / "brain.atypia.work"
    words = ("fit", phantom_table, "-o", file, "--epochs", 3, *QUICK)
    save, saved = Checkpoint.save, []

    def interrupted(self, variables, history):
        if saved:
            raise KeyboardInterrupt
        saved.append(len(history))
        save(self, variables, history)

    monkeypatch.setattr(Checkpoint, "save", interrupted)
    outcome = atypia(*words)
    assert outcome.code == 130
    told = "atypia: interrupted. The finished epochs are kept: add --resume to the same command to go on."
    assert outcome.err.splitlines()[-1] == told
    assert work.is_dir()
    assert not file.exists()

    def counted(self, variables, history):
        saved.append(len(history))
        save(self, variables, history)

    monkeypatch.setattr(Checkpoint, "save", counted)
    outcome = atypia(*words, "--resume")
    assert outcome.code == 0, outcome.err
    assert saved == [1, 2, 3]
    assert not work.exists()
    assert len(Screener.load(file).detector.state().parameters["history"]) == 3


def interrupted_fit(*_, work, **__):
    work.mkdir()
    raise KeyboardInterrupt


def test_an_interruption_with_nothing_to_go_on_from_leaves_nothing(atypia, healthy, tmp_path, monkeypatch):
    monkeypatch.setattr(Screener, "fit", interrupted_fit)
    outcome = atypia("fit", healthy, "-o", tmp_path / "brain.atypia", *NEAREST)
    assert (outcome.code, outcome.err.splitlines()[-1]) == (130, "atypia: interrupted.")
    assert not list(tmp_path.iterdir())


def test_two_fits_of_one_file_are_not_done_at_once(atypia, healthy, tmp_path, monkeypatch):
    monkeypatch.setattr(Screener, "fit", lambda *_, **__: pytest.fail("it writes where another one does"))
    with held_file(tmp_path / "brain.atypia"):
        outcome = atypia("fit", healthy, "-o", tmp_path / "brain.atypia", *NEAREST)
    assert outcome.code == 6
    assert "brain.atypia: expected a file that no other job writes, received one that process" in outcome.err


def test_resume_without_a_beginning_says_so(atypia, phantom_table, tmp_path, monkeypatch):
    monkeypatch.setattr(Screener, "fit", interrupted_fit)
    words = ("--detector", "autoencoder", "--resume", *QUICK)
    outcome = atypia("fit", phantom_table, "-o", tmp_path / "brain.atypia", *words)
    assert "brain.atypia.work: no training to go on with; starting anew" in outcome.err


def test_validation_rows_are_told_and_choose_nothing(atypia, phantom_table, tmp_path):
    table, file = tmp_path / "watched.csv", tmp_path / "brain.atypia"
    table.write_text(phantom_table.read_text().replace(",test,", ",validation,"))
    root = ("--root", phantom_table.parent)
    outcome = atypia("fit", table, *root, "-o", file, "--epochs", 1, "--validation", *QUICK)
    assert outcome.code == 0
    history = Screener.load(file).detector.state().parameters["history"]
    assert "validation_loss" in history[0]


def test_a_table_whose_groups_cross_its_splits_is_refused_unless_allowed(atypia, phantom_table, tmp_path):
    from atypia.reading.collection import Collection, read_collection, write_collection

    rows = tuple(replace(row, group="one patient") for row in read_collection(phantom_table))
    write_collection(Collection(rows, "one patient"), tmp_path / "table.csv")
    file = tmp_path / "a.atypia"
    words = ("fit", tmp_path / "table.csv", "-o", file, "--detector", "nearest", "--size", 64)
    outcome = atypia(*words)
    assert outcome.code == 2
    assert "LEAKS: 16 of 16 test scans" in outcome.err
    assert "LEAKS: 8 of 8 scans for the threshold" in outcome.err
    assert "--allow-leak" in outcome.err
    assert not file.exists()
    allowed = atypia(*words, "--encoder", "efficientnet-lite0", "--allow-leak")
    assert allowed.code == 0
    assert allowed.err.startswith("LEAKS: 16 of 16 test scans")


def test_a_mirrored_copy_across_splits_is_found_where_no_group_is_named(atypia, phantom_table, tmp_path):
    rows = [row for row in read_collection(phantom_table) if row.label == "normal"]
    learned = next(row for row in rows if row.split == "train")
    with Image.open(learned.path) as picture:
        ImageOps.mirror(picture).save(tmp_path / "mirrored.png")
    copy = Row(tmp_path / "mirrored.png", "mirrored.png", label="normal", split="test")
    table = Collection((*(replace(row, group=None) for row in rows), copy), "bare")
    write_collection(table, tmp_path / "bare.csv")
    words = ("fit", tmp_path / "bare.csv", "-o", tmp_path / "m.atypia", "--detector", "nearest", "--size", 64)
    words += ("--encoder", "efficientnet-lite0")
    outcome = atypia(*words)
    assert outcome.code == 2
    assert "LEAKS: 1 of" in outcome.err
    assert atypia(*words, "--no-cluster").code == 0
