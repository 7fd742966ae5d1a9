from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from atypia.errors import BadOption
from atypia.reading.row import Row
from atypia.screener import Screener
from atypia.screening.estimate import SAMPLE, measured_rate


@pytest.fixture
def scored(monkeypatch):
    names, score = [], Screener.score

    def scoring(self, scans, **options):
        rows = list(scans)
        names.append([row.name for row in rows])
        return score(self, rows, **options)

    monkeypatch.setattr(Screener, "score", scoring)
    return names


def test_a_few_scans_from_all_over_are_judged(quick, mixed, scored):
    many = [replace(mixed.rows[number % 13], name=str(number)) for number in range(1000)]
    rate = measured_rate(quick, many, maps=False)
    warm, tried = scored
    assert len(warm) == 8
    assert len(tried) == rate.tried == SAMPLE
    assert (tried[0], tried[8], tried[-1]) == ("0", "330", "999")
    assert rate.core_seconds > 0
    assert rate.seconds > 0


def test_of_few_scans_all_are_judged_and_one_that_cannot_be_read_counts(quick, mixed):
    assert measured_rate(quick, mixed.rows, maps=True).tried == len(mixed) == 22


def test_of_no_scans_there_is_no_rate(quick):
    with pytest.raises(BadOption, match="Expected scans to estimate"):
        measured_rate(quick, [], maps=False)


def test_the_plan_of_this_machine(atypia, quick_file, mixed_folder, tmp_path):
    words = ("score", quick_file, mixed_folder, "-o", tmp_path / "out", "--shard", 4)
    done = atypia(*words, "--dry-run", "--price-per-core-hour", 0.05)
    assert done.code == 0
    told = dict(line.split(":", 1) for line in done.out.splitlines())
    assert told["scans"].strip() == "22, slices of 3 volumes among them"
    assert told["workers"].strip() == "this process"
    assert float(told["price"]) == pytest.approx(0.05 * float(told["core-hours"]), rel=0.02)
    assert not Path(tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-o", "s3://archive/out"), "Only --engine ray writes to an object store"),
        (
            ("-o", "out", "--engine", "ray", "--heatmaps", "--format", "csv"),
            "Expected no --heatmaps, --format csv beside",
        ),
        (
            ("-o", "out", "--address", "a:1", "--cpus-per-worker", 2),
            "beside --address, --cpus-per-worker; received",
        ),
    ],
)
def test_what_an_engine_cannot_do(atypia, quick_file, mixed_folder, words, told):
    done = atypia("score", quick_file, mixed_folder, *words)
    assert done.code == 2
    assert told in done.err


def test_a_row_of_a_store_keeps_its_address():
    from atypia.screening.job import job_of

    one, other = (job_of([Row(Path(path), "a")], None, {}) for path in ("s3://b/a.png", "b/a.png"))
    assert one["the list of scans"] != other["the list of scans"]
