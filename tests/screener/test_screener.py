from __future__ import annotations

import errno
import json
import math
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atypia.detectors import Scores
from atypia.errors import (
    BadOption,
    BadTable,
    CorruptArtefact,
    NewerArtefact,
    NotEnoughScans,
    OutputError,
)
from atypia.loading import AHEAD
from atypia.preparation import Preparation
from atypia.processors import shared
from atypia.reading.collection import Collection
from atypia.scan import Scan
from atypia.screener import HealthyMap, Screener
from atypia.screener.calibration import BATCH


def with_splits(folder: Collection, splits: list[str | None]) -> Collection:
    rows = (replace(row, split=split) for row, split in zip(folder, splits, strict=True))
    return replace(folder, rows=tuple(rows))


# What a fit uses.


def test_a_list_of_scans_is_parted_by_group(make, scans):
    screener = make().fit(scans)
    assert (screener.report_.train, screener.report_.calibration) == (24, 6)
    assert screener.provenance["grouped"] is True


def test_a_folder_is_parted_too(make, folder):
    screener = make().fit(folder)
    assert (screener.report_.train, screener.report_.calibration) == (24, 6)
    assert len(screener.detector.seen) == 24
    assert len(screener.threshold_.healthy) == 6


def test_a_table_with_splits_gives_train_and_threshold_and_nothing_else(make, folder):
    table = with_splits(folder, ["train"] * 14 + ["threshold"] * 8 + ["test"] * 8)
    report = make().fit(table).report_
    assert (report.train, report.calibration) == (14, 8)


def test_a_table_without_threshold_rows_parts_its_train_rows(make, folder):
    report = make().fit(with_splits(folder, ["train"] * 24 + ["test"] * 6)).report_
    assert report.train + report.calibration == 24
    assert report.calibration >= 5


def test_a_calibration_that_is_named_is_taken(make, scans, folder):
    screener = make().fit(scans[:20], calibration=replace(folder, rows=folder.rows[20:]))
    assert (screener.report_.train, screener.report_.calibration) == (20, 10)


def test_twenty_scans_are_enough(make, scans):
    report = make().fit(scans[:20]).report_
    assert report.train + report.calibration == 20
    assert report.calibration >= 5


@pytest.mark.parametrize("count", [0, 1, 4, 19])
def test_fewer_are_not(make, scans, count):
    screener = make()
    with pytest.raises(NotEnoughScans):
        screener.fit(scans[:count])
    assert screener.threshold_ is None


def test_those_that_cannot_be_read_do_not_count_and_are_named(make, folder, spoil):
    places = {0, 3, 7, 8, 11, 14, 15, 20, 22, 25, 29}
    with pytest.raises(
        NotEnoughScans, match=r"at least 20 usable .* received 19 \(11 could not be read\)"
    ) as told:
        make().fit(spoil(folder, places))
    assert "bad.png: expected" in str(told.value)


def test_the_threshold_needs_some_that_can_be_read(make, folder, spoil):
    table = spoil(with_splits(folder, ["train"] * 24 + ["threshold"] * 6), {24, 25})
    screener = make()
    with pytest.raises(
        NotEnoughScans, match=r"5 usable healthy scans for the threshold, received 4 \(2 could"
    ):
        screener.fit(table)
    assert screener.detector.seen is None


def test_some_unreadable_ones_are_left_out_and_reported(make, folder, spoil):
    report = make().fit(spoil(folder, {2, 28})).report_
    assert report.train + report.calibration == 28
    assert sorted(name for name, _ in report.unreadable) == ["02.png", "28.png"]
    assert all("expected" in error for _, error in report.unreadable)


@pytest.mark.parametrize("how", ["folder", "train", "threshold", "calibration"])
def test_an_abnormal_scan_is_refused_wherever_it_would_be_learned_from(make, folder, how):
    rows = list(folder.rows)
    rows[-1] = replace(rows[-1], label="abnormal")
    table = Collection(tuple(rows), folder.source)
    calibration = None
    if how in ("train", "threshold"):
        table = with_splits(table, ["train"] * 15 + ["threshold"] * 14 + [how])
    if how == "calibration":
        table, calibration = folder, table
    with pytest.raises(BadTable, match="healthy scans alone to learn from, received 1 labelled abnormal"):
        make().fit(table, calibration=calibration)


def test_a_table_without_train_rows_is_refused(make, folder):
    with pytest.raises(BadTable, match="rows whose split is train, received none"):
        make().fit(with_splits(folder, ["test"] * 30))


def test_a_labelled_set_reaches_the_detector_as_a_set_to_be_told(make, folder, spoil):
    labelled = spoil(replace(folder, rows=folder.rows[:6]), {1})
    assert len(make().fit(folder, labelled=labelled).detector.context.labelled) == 5
    nothing = replace(folder, rows=())
    assert make().fit(folder, labelled=nothing).detector.context.labelled is None


def test_without_a_work_folder_nothing_is_left(make, scans, tmp_path):
    assert not make().fit(scans).detector.context.work.exists()
    kept = make().fit(scans, work=tmp_path / "work", resume=True, seed=7).detector.context
    assert (kept.work, kept.resume, kept.seed) == (tmp_path / "work", True, 7)
    assert kept.work.is_dir()


def test_a_disk_that_is_full_is_told(make, scans, monkeypatch, tmp_path):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OutputError, match="No space left on device"):
        make().fit(scans, work=tmp_path / "work")


def test_same_seed_same_numbers_and_another_seed_other_parts(make, folder):
    first, again, other = (make().fit(folder, seed=seed).threshold_ for seed in (1, 1, 2))
    assert first.to_dict() == again.to_dict()
    assert first.to_dict() != other.to_dict()


def test_the_calibration_scans_score_as_they_do_in_use(make, scans):
    screener = make().fit(scans[:20], calibration=scans[20:])
    used = [finding.score for finding in screener.score(scans[20:])]
    assert screener.threshold_.healthy.tolist() == pytest.approx(sorted(used), rel=1e-12)


def test_a_fit_that_fails_leaves_nothing_of_the_one_before(make, scans):
    screener = make().fit(scans)
    with pytest.raises(NotEnoughScans):
        screener.fit(scans[:6])
    with pytest.raises(BadOption, match="has not been fitted"):
        screener.score(scans)


def test_the_provenance_tells_when_on_what_and_with_what(make, folder, spoil):
    told = make().fit(spoil(folder, {4}), seed=9).provenance
    assert (told["train_scans"] + told["calibration_scans"], told["unreadable_scans"]) == (29, 1)
    assert (told["seed"], told["grouped"]) == (9, True)
    assert {"numpy", "onnxruntime"} <= told["versions"].keys()
    assert told["atypia"]
    assert folder.source not in json.dumps(told)


# What it says of scans.


def test_findings_come_in_order_and_a_bad_scan_costs_one_row(make, folder, spoil):
    screener = make().fit(folder)
    found = list(screener.score(spoil(folder, {0, 16, 17, 29})))
    assert [finding.name for finding in found] == [row.name for row in folder]
    assert [n for n, finding in enumerate(found) if finding.error] == [0, 16, 17, 29]
    whole = list(screener.score(folder))
    for n, (finding, expected) in enumerate(zip(found, whole, strict=True)):
        if n in {0, 16, 17, 29}:
            assert finding.verdict == "unreadable"
            assert math.isnan(finding.score)
            assert (finding.flagged, finding.heatmap) == (None, None)
            assert "bad.png: expected" in finding.error
        else:
            assert finding.score == expected.score


def test_scans_that_all_cannot_be_read_are_all_told(make, folder, spoil):
    found = list(make().fit(folder).score(spoil(folder, set(range(30)))))
    assert [finding.verdict for finding in found] == ["unreadable"] * 30


def test_a_finding_is_what_threshold_and_detector_say(make, scans):
    screener = make().fit(scans)
    threshold = screener.threshold_
    for finding in screener.score(scans):
        assert finding.threshold == threshold.value
        assert finding.flagged is (finding.score > threshold.value)
        assert finding.p_value == threshold.p_values(finding.score)
        assert finding.verdict == ("abnormal" if finding.flagged else "normal")
        assert type(finding.score) is type(finding.p_value) is float


def test_the_heat_map_lies_on_the_pixels_of_the_input(nearest, draw_heads):
    pixels, heads = draw_heads(3, size=90)
    odd = [Scan(p[: 71 + n, : 83 - 2 * n], str(n)) for n, p in enumerate(pixels)]
    for finding, scan, head in zip(nearest.score(odd), odd, heads, strict=True):
        assert finding.heatmap.shape == scan.pixels.shape
        assert finding.heatmap.dtype == np.float32
        inside = head[: scan.pixels.shape[0], : scan.pixels.shape[1]]
        assert finding.heatmap[inside].mean() > 10 * finding.heatmap[~inside].mean()


def test_maps_and_pictures_are_given_when_asked_for(make, scans):
    screener = make().fit(scans)
    (plain,) = screener.score(scans[:1])
    (bare,) = screener.score(scans[:1], heatmaps=False)
    (rich,) = screener.score(scans[:1], pictures=True)
    assert plain.heatmap is not None
    assert plain.prepared is None
    assert bare.heatmap is None
    assert rich.prepared.shape == (32, 32)
    assert rich.reconstruction is None
    assert plain.score == bare.score == rich.score


def test_scoring_reads_no_further_ahead_than_it_must(make, scans):
    screener = make().fit(scans)
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield scans[taken % 30]

    found = screener.score(endless())
    assert taken == 0
    for given in range(1, 100):
        next(found)
        assert taken < given + AHEAD + BATCH * (2 + shared(None).workers)
    found.close()


def test_a_score_that_is_no_number_is_no_verdict(make, scans, monkeypatch):
    screener = make().fit(scans)
    usual = screener.detector.score

    def sometimes(batch):
        result = usual(batch)
        result.image[1] = np.nan
        return result

    monkeypatch.setattr(screener.detector, "score", sometimes)
    found = list(screener.score(scans[:4]))
    assert [finding.verdict == "unreadable" for finding in found] == [False, True, False, False]
    assert found[1].error == "The detector gave no finite score."


def test_a_calibration_with_scores_that_are_no_numbers_is_refused(make, scans, brightness, monkeypatch):
    def broken(_, batch):
        return Scores(np.full(len(batch), np.nan), batch.pixels)

    monkeypatch.setattr(brightness, "score", broken)
    with pytest.raises(BadOption, match="finite healthy scores"):
        make().fit(scans)


@pytest.mark.parametrize(
    "ask",
    [
        lambda screener: screener.score([]),
        lambda screener: screener.save(Path("brain.atypia")),
        lambda screener: screener.card(),
        lambda screener: screener.heat_scale,
        lambda screener: screener.with_threshold("quantile", 0.9),
    ],
)
def test_nothing_is_told_before_a_fit(make, tmp_path, monkeypatch, ask):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadOption, match="has not been fitted: call fit, or load a saved one"):
        ask(make())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("rule", "parameter"), [("median", None), ("quantile", 95), ("mean+std", math.nan)])
def test_a_rule_that_makes_no_sense_is_refused_at_once(make, rule, parameter):
    with pytest.raises(BadOption):
        make(rule=rule, parameter=parameter)


def test_another_threshold_changes_decisions_and_no_score(make, scans):
    screener = make().fit(scans)
    strict = screener.with_threshold("quantile", 0.01)
    before, after = list(screener.score(scans)), list(strict.score(scans))
    assert [f.score for f in before] == [f.score for f in after]
    assert [f.p_value for f in before] == [f.p_value for f in after]
    assert sum(f.flagged for f in after) > sum(f.flagged for f in before)
    assert (screener.rule, strict.rule, strict.parameter) == ("mean+std", "quantile", 0.01)
    assert next(screener.score(scans)).threshold == before[0].threshold
    with pytest.raises(BadOption):
        screener.with_threshold("quantile", 2.0)


# Saved and loaded.


@pytest.fixture
def saved(nearest, tmp_path) -> Path:
    path = tmp_path / "new" / "brain.atypia"
    nearest.save(path)
    return path


def test_a_loaded_screener_finds_bit_for_bit_the_same(nearest, saved, folder):
    loaded = Screener.load(saved)
    for found, expected in zip(loaded.score(folder), nearest.score(folder), strict=True):
        assert (found.name, found.score, found.p_value) == (expected.name, expected.score, expected.p_value)
        assert (found.flagged, found.threshold) == (expected.flagged, expected.threshold)
        assert np.array_equal(found.heatmap, expected.heatmap)
    assert (loaded.preparation, loaded.provenance) == (nearest.preparation, nearest.provenance)
    assert (loaded.healthy_map_, loaded.card()) == (nearest.healthy_map_, nearest.card())


def test_a_loaded_screener_saves_the_same_bytes(saved, tmp_path):
    Screener.load(saved).save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()


def test_threads_are_bounded_without_a_change_of_scores(nearest, saved, folder):
    loaded = Screener.load(saved)
    loaded.use_threads(2)
    assert loaded.detector.threads == 1  # in each of two workers
    scores = [finding.score for finding in loaded.score(folder)]
    assert np.allclose(scores, [finding.score for finding in nearest.score(folder)], atol=1e-5)


@pytest.mark.parametrize("asked", [1, 2])
def test_no_more_threads_are_at_work_than_were_asked_for(saved, folder, asked):
    loaded = Screener.load(saved)
    loaded.use_threads(asked)
    scans = list(folder) * 3
    list(loaded.score(scans[:1]))
    before, most = threading.active_count(), 0
    start, work = time.perf_counter(), time.process_time()
    for _ in loaded.score(scans):
        most = max(most, threading.active_count() - before)
    assert most <= (asked if asked > 1 else 0)
    assert (time.process_time() - work) / (time.perf_counter() - start) <= 1.1 * asked
    assert threading.active_count() <= before  # those of others may have ended meanwhile


def test_the_card_tells_what_it_is(nearest):
    card = nearest.card()
    assert card["detector"]["name"] == "nearest"
    assert card["encoder"]["name"] == "efficientnet-lite0"
    assert card["preparation"] == Preparation(size=64).to_dict()
    assert card["threshold"] == {"rule": "mean+std", "parameter": 1.0, "value": nearest.threshold_.value}
    assert "Research use only" in card["notice"]["use"]
    assert json.loads(json.dumps(card)) == card


def edit(path: Path, change) -> None:
    """Change the head of a saved Screener in place."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    head = json.loads(members["screener.json"])
    change(head)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (members | {"screener.json": json.dumps(head).encode()}).items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    "change",
    [
        lambda head: head.pop("detector"),
        lambda head: head.pop("preparation"),
        lambda head: head.pop("healthy_map"),
        lambda head: head["detector"].update(name="oracle"),
        lambda head: head.update(detector="nearest"),
        lambda head: head["detector"]["parameters"].pop("encoder"),
        lambda head: head["detector"]["parameters"]["settings"].update(neighbours=0),
        lambda head: head["preparation"].update(size=-1),
        lambda head: head["preparation"].update(colour="red"),
        lambda head: head["threshold"].update(rule="median"),
        lambda head: head["threshold"].update(healthy=[]),
        lambda head: head["healthy_map"].update(median="low"),
        lambda head: head["healthy_map"].update(threshold=math.nan),
        lambda head: head.update(healthy_map=None),
        lambda head: head.update(provenance="unknown"),
        lambda head: head.update(threshold=3),
    ],
)
def test_a_file_whose_head_makes_no_sense_is_named(saved, change):
    edit(saved, change)
    with pytest.raises(CorruptArtefact, match=r"brain\.atypia: "):
        Screener.load(saved)


def test_a_newer_file_is_refused_with_what_to_do(saved):
    edit(saved, lambda head: head.update(format=99))
    with pytest.raises(NewerArtefact, match="Update Atypia"):
        Screener.load(saved)


def test_a_disk_that_is_full_while_saving_leaves_the_older_file(nearest, saved, monkeypatch):
    before = saved.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile._ZipWriteFile, "write", full)
        with pytest.raises(OutputError, match=r"brain\.atypia: .*No space left on device"):
            nearest.save(saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["brain.atypia"]


def test_what_maps_are_made_of_gives_the_same_maps_later(make, folder, tmp_path):
    screener = make().fit(folder)
    screener.save(tmp_path / "saved.atypia")
    rows = folder.rows[:3]
    expected = list(screener.score(rows, p_maps=True))
    for one, whole in zip(screener.judge(rows, kept=60 * 60), expected, strict=True):
        drawn = one.drawn()
        assert one.finding.heatmap is None
        assert (drawn.name, drawn.score, drawn.regions) == (whole.name, whole.score, whole.regions)
        np.testing.assert_array_equal(drawn.heatmap, whole.heatmap)
        np.testing.assert_array_equal(drawn.region_map, whole.region_map)
        healthy, prepared = HealthyMap.read(tmp_path / "saved.atypia"), one.loaded.prepared
        p_map = healthy.p_map(one.heat, prepared.foreground, prepared.geometry)
        np.testing.assert_array_equal(p_map, whole.p_map)
        assert one.loaded.pixels.shape == whole.heatmap.shape
    assert [one.loaded.pixels for one in screener.judge(rows, kept=48 * 48)] == [None] * 3
