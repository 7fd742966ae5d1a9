"""A Screener that knows which scans it may judge."""

from __future__ import annotations

import math

import numpy as np
import pytest

from atypia.artefact import read_artefact, write_artefact
from atypia.errors import CorruptArtefact
from atypia.scan import Scan
from atypia.screener import Screener


@pytest.fixture
def fitted(make, folder) -> Screener:
    return make().fit(folder, seed=1)


@pytest.fixture
def stripes() -> Scan:
    return Scan(np.float32(np.indices((48, 48))[1] // 4 % 2 * 200), "stripes")


def test_what_is_no_head_is_unfit_and_keeps_its_score(fitted, scans, stripes):
    head, odd = fitted.score([scans[0], stripes])
    assert head.verdict in ("normal", "abnormal")
    assert head.unfit is None
    assert (odd.verdict, odd.flagged, odd.error, odd.regions) == ("unfit", None, None, ())
    assert "unlike any scan learned from" in odd.unfit
    assert math.isfinite(odd.score)
    assert 0 < odd.p_value <= 1


def test_it_judges_all_where_asked(fitted, make, folder, stripes):
    (finding,) = fitted.score([stripes], judge_all=True)
    assert (finding.unfit, type(finding.flagged)) == (None, bool)
    without = make(fitness=False).fit(folder, seed=1)
    assert without.fitness_ is None
    assert next(without.score([stripes])).unfit is None


def test_the_check_is_saved_and_loaded(fitted, stripes, scans, tmp_path):
    fitted.save(tmp_path / "one.atypia")
    again = Screener.load(tmp_path / "one.atypia")
    again.use_threads(1)
    asked = [scans[3], stripes]
    assert [f.unfit for f in again.score(asked)] == [f.unfit for f in fitted.score(asked)]
    assert again.fitness
    assert again.card()["fitness"] == fitted.card()["fitness"]
    again.save(tmp_path / "two.atypia")
    assert (tmp_path / "two.atypia").read_bytes() == (tmp_path / "one.atypia").read_bytes()


def test_an_older_file_judges_all(fitted, stripes, tmp_path):
    file = tmp_path / "old.atypia"
    fitted.save(file)
    artefact = read_artefact(file)
    del artefact.head["fitness"]
    for name in [name for name in artefact.arrays if name.startswith("fitness_")]:
        del artefact.arrays[name]
    write_artefact(artefact, file)
    old = Screener.load(file)
    assert not old.fitness
    assert next(old.score([stripes])).unfit is None


def test_a_check_without_its_arrays_is_refused(fitted, tmp_path):
    file = tmp_path / "odd.atypia"
    fitted.save(file)
    artefact = read_artefact(file)
    del artefact.arrays["fitness_mean"]
    write_artefact(artefact, file)
    with pytest.raises(CorruptArtefact, match="fitness check"):
        Screener.load(file)


def test_another_rule_keeps_the_check(fitted, stripes):
    assert next(fitted.with_threshold("quantile", 0.5).score([stripes])).verdict == "unfit"
