from __future__ import annotations

import csv
import json

import pytest

from atypia.artefact import read_artefact
from atypia.datasets.phantom import write_phantom
from atypia.onnx_session import runtime_of, runtimes
from atypia.screener import Screener


def scores(folder):
    with (folder / "findings.csv").open() as table:
        return [float(row["score"]) for row in csv.DictReader(table)]


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Healthy scans that the Screener has not seen, and labelled ones."""
    folder = tmp_path_factory.mktemp("others")
    write_phantom(folder, healthy=24, abnormal=8, seed=11, sequences=("FLAIR",))
    return folder


@pytest.fixture(scope="module")
def fast(atypia, nearest_file, others, tmp_path_factory):
    file = tmp_path_factory.mktemp("fast") / "fast.atypia"
    words = ("--recalibrate", "--evaluate", others / "table.csv")
    return file, atypia("optimise", nearest_file, "-o", file, "--healthy", others / "healthy", *words)


def test_int8_with_a_threshold_of_its_own(atypia, nearest_file, others, fast, tmp_path):
    file, outcome = fast
    assert outcome.code == 0, outcome.err
    assert "recalibrated: the threshold is now" in outcome.out
    assert "AUROC" in outcome.out
    assert "verdicts differ" in outcome.out
    before, after = Screener.load(nearest_file), Screener.load(file)
    made = after.provenance["optimised"]
    assert (made["precision"], made["runtime"], made["recalibrated"]) == ("int8", "onnxruntime", True)
    assert made["healthy_scans"] == len(after.threshold_.calibration) == 24
    low, high = made["effect"]["interval"]
    assert low <= made["effect"]["change"] <= high
    assert after.detector.encoder_.fingerprint != before.detector.encoder_.fingerprint
    assert len(after.detector.encoder_.graph) < len(before.detector.encoder_.graph) / 2
    assert after.fitness_ is not None
    assert atypia("score", file, others / "abnormal", "-o", tmp_path).code in (0, 1)
    assert len(scores(tmp_path)) == 8


def test_the_card_tells_of_it(atypia, fast):
    file, _ = fast
    assert json.loads(atypia("info", file, "--json").out)["provenance"]["optimised"]["precision"] == "int8"
    told = atypia("card", file).out
    assert "int8 by onnxruntime; rank correlation" in told
    assert "from which the threshold was learned anew" in told
    assert "Nothing is recorded. Measure it" in told


def test_what_is_optimised_already_is_not_optimised_again(atypia, fast, others, tmp_path):
    outcome = atypia("optimise", fast[0], "-o", tmp_path / "b.atypia", "--healthy", others / "healthy")
    assert outcome.code == 2
    assert "optimised already" in outcome.err


def test_scores_that_differ_are_refused_and_nothing_is_written(
    atypia, nearest_file, others, tmp_path, monkeypatch
):
    monkeypatch.setattr("atypia.optimising.agreement.LEAST", 1.1)
    out = tmp_path / "new" / "fast.atypia"
    outcome = atypia("optimise", nearest_file, "-o", out, "--healthy", others / "healthy")
    assert outcome.code == 7
    assert "Nothing was written" in outcome.err
    assert not out.exists()


def test_openvino_keeps_the_scores_and_the_threshold(atypia, nearest_file, others, tmp_path, monkeypatch):
    pytest.importorskip("openvino")
    out = tmp_path / "ov.atypia"
    words = ("--healthy", others / "healthy", "--runtime", "openvino", "--precision", "fp32")
    outcome = atypia("optimise", nearest_file, "-o", out, *words)
    assert outcome.code == 0, outcome.err
    assert "the threshold stays" in outcome.out
    assert {runtime_of(graph) for graph in read_artefact(out).graphs.values()} == {"openvino"}
    for file, name in ((nearest_file, "a"), (out, "b")):
        atypia("score", file, others / "abnormal", "-o", tmp_path / name, "--judge-all")
    one, other = (scores(tmp_path / name) for name in "ab")
    assert len(one) == 8
    assert one == pytest.approx(other, abs=1e-4)
    monkeypatch.setattr(runtimes, "find_spec", lambda _: None)
    outcome = atypia("score", out, others / "abnormal", "-o", tmp_path / "c")
    assert outcome.code == 4
    assert "atypia[openvino]" in outcome.err


def test_scans_that_were_learned_from_are_left_out(atypia, nearest_file, phantom_table, tmp_path):
    """Of the folder that it was fitted with 24 were learned from, 8 kept aside and 8 never seen."""
    words = ("--recalibrate", "-o", tmp_path / "few.atypia")
    few = atypia("optimise", nearest_file, "--healthy", phantom_table.parent / "healthy", *words)
    assert few.code == 2
    assert "received 16 (0 could not be read, 24 were learned from)" in few.err


def test_nothing_to_do_and_wrong_scans_are_told(atypia, nearest_file, phantom_table, others, tmp_path):
    def run(*words):
        outcome = atypia("optimise", nearest_file, *words)
        assert outcome.code == 2
        return outcome.err

    out = ("-o", tmp_path / "x.atypia")
    healthy = ("--healthy", others / "healthy")
    labelled = tmp_path / "labelled.csv"
    labelled.write_text(f"path,label\n{others / 'abnormal' / '0000.png'},abnormal\n")
    assert "another file than MODEL" in run("-o", nearest_file, *healthy)
    assert "Nothing to optimise" in run(*out, *healthy, "--precision", "fp32")
    assert "healthy scans alone" in run(*out, "--healthy", labelled)
    assert "received 8" in run(*out, "--healthy", phantom_table)
    assert not (tmp_path / "x.atypia").exists()


def test_bfloat16_by_openvino_and_nothing_else(atypia, nearest_file, others, tmp_path):
    healthy = ("--healthy", others / "healthy", "--precision", "bf16")
    refused = atypia("optimise", nearest_file, "-o", tmp_path / "a.atypia", *healthy)
    assert refused.code == 2
    assert "openvino, which offers bf16" in refused.err
    openvino = pytest.importorskip("openvino")
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor does not compute in bfloat16")
    words = ("--runtime", "openvino", "--recalibrate")
    made = atypia("optimise", nearest_file, "-o", tmp_path / "b.atypia", *healthy, *words)
    assert made.code == 0, made.err
    graphs = read_artefact(tmp_path / "b.atypia").graphs.values()
    assert {runtime_of(graph) for graph in graphs} == {"openvino-bf16"}
    assert Screener.load(tmp_path / "b.atypia").provenance["optimised"]["spearman"] > 0.9
