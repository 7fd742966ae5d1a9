"""Files of earlier formats, made by the code of their time, go on as they were."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from atypia.artefact import FORMAT
from atypia.errors import CorruptArtefact
from atypia.pretrained import pretrained_path
from atypia.scan import Scan
from atypia.screener import Screener

KEPT = Path(__file__).resolve().parents[1] / "data"
# Score, p-value and verdict of four heads, as the code that made the file gave them.
THEN = {
    "intensity": [
        (1.060154, 1 / 7, True),
        (1.006416, 4 / 7, False),
        (1.082195, 1 / 7, True),
        (1.115964, 1 / 7, True),
    ],
    "asymmetry": [
        (1.284070, 3 / 7, False),
        (1.150543, 5 / 7, False),
        (2.610249, 1 / 7, True),
        (3.837126, 1 / 7, True),
    ],
}


FILES = sorted(path.name for path in KEPT.glob("format-*.atypia"))


def test_every_format_is_kept():
    assert {int(name.split("-")[1]) for name in FILES} == set(range(1, FORMAT + 1))


@pytest.mark.parametrize("kept", FILES)
def test_a_file_of_an_earlier_format_scores_as_it_did(kept, draw_heads, tmp_path):
    file, (number, name) = KEPT / kept, kept.removesuffix(".atypia").split("-")[1:]
    with zipfile.ZipFile(file) as archive:
        assert json.loads(archive.read("screener.json"))["format"] == int(number)
    screener = Screener.load(file)
    healthy, _ = draw_heads(4, size=32, seed=7)
    ill, _ = draw_heads(4, size=32, seed=7, lesion=0.3)
    heads = [Scan((ill if place > 1 else healthy)[place], str(place)) for place in range(4)]
    found = list(screener.score(heads))
    for finding, (score, p_value, flagged) in zip(found, THEN[name], strict=True):
        assert finding.score == pytest.approx(score, abs=1e-4)
        assert (finding.p_value, finding.flagged) == (pytest.approx(p_value), flagged)
    screener.save(tmp_path / "anew.atypia")
    with zipfile.ZipFile(tmp_path / "anew.atypia") as archive:
        assert json.loads(archive.read("screener.json"))["format"] == FORMAT
    again = list(Screener.load(tmp_path / "anew.atypia").score(heads))
    assert [one.score for one in again] == [one.score for one in found]


def test_the_shipped_screener_of_an_earlier_format_is_read():
    """It is of format 1, with a network in it."""
    with zipfile.ZipFile(pretrained_path("synthetic")) as archive:
        assert json.loads(archive.read("screener.json"))["format"] == 1
    assert Screener.load(pretrained_path("synthetic")).detector.name == "pretrained-synthetic"


def test_a_graph_that_is_not_ours_is_refused_at_load(tmp_path):
    from onnx import TensorProto, helper

    from atypia.artefact import Artefact, read_artefact, write_artefact

    puts = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in ("x", "y")]
    node = helper.make_node("Loop", ["x"], ["y"], domain="org.example")
    graph = helper.make_model(helper.make_graph([node], "planted", puts[:1], puts[1:])).SerializeToString()
    shipped = read_artefact(pretrained_path("synthetic"))
    file = tmp_path / "planted.atypia"
    write_artefact(Artefact(shipped.head, shipped.arrays, {"network": graph}), file)
    with pytest.raises(
        CorruptArtefact, match=r"planted\.atypia: graphs/network\.onnx: .*'org\.example\.Loop'"
    ):
        Screener.load(file)


@pytest.mark.parametrize(
    ("name", "value"),
    [("healthy_map", {"median": 10**400}), ("position_scale", 3), ("planes", 5), ("provenance", [1])],
    ids=["infinite", "number", "planes", "list"],
)
def test_values_that_no_screener_has_are_told_at_load(tmp_path, name, value):
    from atypia.artefact import Artefact, read_artefact, write_artefact

    saved = read_artefact(KEPT / "format-3-intensity.atypia")
    value = {**saved.head[name], **value} if isinstance(value, dict) else value
    file = tmp_path / "odd.atypia"
    write_artefact(Artefact({**saved.head, name: value}, saved.arrays, saved.graphs), file)
    with pytest.raises(CorruptArtefact, match=r"odd\.atypia"):
        Screener.load(file)
