"""Bad input of every format and fault in one folder: a row for each, and the good ones scored as alone."""

from __future__ import annotations

import html
import importlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from atypia.pretrained import pretrained_path
from atypia.reading.collection import read_collection
from atypia.screener import Screener

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ("--pretrained", "synthetic")


@pytest.fixture(scope="module")
def tools() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        patch.setattr("sys.dont_write_bytecode", True)
        yield importlib.import_module("make_bad_corpus")


@pytest.fixture(scope="module")
def checking(tools: Any) -> Any:
    assert tools
    return importlib.import_module("bad_corpus.checking")


@pytest.fixture(scope="module")
def corpus(tools: Any, phantom_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    files = sorted((phantom_table.parent / "healthy").iterdir())[: tools.HEADS]
    heads = np.stack([tools.halved(np.asarray(Image.open(file))) for file in files])
    made = tools.make_corpus(tmp_path_factory.mktemp("bad") / "corpus", heads, bombs=False)
    yield made
    subprocess.run(["rm", "-rf", str(made.root)], check=True)  # deeper than Python removes folders


@pytest.fixture(scope="module")
def judged(atypia: Any, corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    out = tmp_path_factory.mktemp("bad") / "out"
    return atypia("score", *SHIPPED, corpus.scans, "-o", out), out


def test_there_are_hundreds_of_every_format_and_fault(corpus: Any) -> None:
    cases = corpus.of("scans")
    assert len(cases) >= 600
    formats = {case.format for case in cases}
    assert formats >= {"png", "jpg", "tif", "bmp", "webp", "nii", "nii.gz", "pair", "dicom", "dicomdir"}
    assert {case.fault for case in cases} >= {
        "cut short",
        "flipped bit",
        "lying header",
        "bomb",
        "odd pixels",
        "empty",
        "wrong suffix",
        "odd name",
        "deep folders",
        "link in circles",
        "link to nothing",
        "pipe",
        "socket",
        "link to a device",
    }


def test_every_file_gives_what_it_is_to_give(judged: Any, corpus: Any, checking: Any) -> None:
    outcome, out = judged
    found = checking.read_findings(out)
    aside = [name for name, _ in read_collection(corpus.scans).aside]
    assert list(checking.wrong(corpus.of("scans"), found, aside)) == []
    bad = sum(row["verdict"] == "unreadable" for row in found.values())
    assert outcome.code == 1
    assert f"{bad} could not be judged" in outcome.err
    assert "Traceback" not in outcome.err + outcome.out


def test_good_scans_among_them_have_the_scores_that_they_have_alone(
    judged: Any, corpus: Any, checking: Any
) -> None:
    found = checking.read_findings(judged[1])
    screener = Screener.load(pretrained_path("synthetic"))
    good = [case for case in corpus.of("scans") if case.told == "judged" and case.fault == "none"]
    assert len(good) >= 30
    for case in good[::4]:
        rows = read_collection(corpus.scans / case.place, cutting=screener.cutting).rows
        alone = [finding.score for finding in screener.score(rows)]
        name = checking.name_of(case)
        among = [float(row["score"]) for key, row in found.items() if key.startswith(name)]
        assert sorted(among) == pytest.approx(sorted(alone), rel=1e-5), case


def test_odd_names_come_back_out_of_parquet_and_from_two_processes(
    atypia: Any, corpus: Any, checking: Any, judged: Any, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    named = [case for case in corpus.of("scans") if case.fault == "odd name"]
    files = [corpus.scans / case.place for case in named]
    words = ("-o", tmp_path, "--format", "parquet", "--shard", 24, "--threads", 2, "--processes", 2)
    outcome = atypia("score", *SHIPPED, *files, *words)
    assert (outcome.code, outcome.out.splitlines()[0].split(",")[0]) == (0, f"{len(named)} scans judged")
    table = pq.read_table(tmp_path / "findings.parquet").to_pydict()
    assert {name.removesuffix(" (2)") for name in table["name"]} == {checking.name_of(case) for case in named}
    assert len(set(table["name"])) == len(named)
    one = float(checking.read_findings(judged[1])["two\nlines.png"]["score"])
    assert table["score"] == pytest.approx([one] * len(named), rel=1e-5)


def test_no_name_is_markup_on_the_page_of_an_audit(atypia: Any, corpus: Any, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for case in corpus.of("scans"):
        if (case.fault == "odd pixels" and "nii" not in case.format) or set(case.place) & set("<&$"):
            (folder / case.place.replace("/", "-")).symlink_to(corpus.scans / case.place)
    outcome = atypia("audit", folder, "-o", tmp_path / "out")
    assert outcome.code == 1
    page = (tmp_path / "out/audit.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert html.escape("<script>alert(1)<.png") in page


def test_a_fit_leaves_out_what_cannot_be_read(atypia: Any, corpus: Any, tmp_path: Path) -> None:
    """Bad files of each format and fault, and what waits for ever or has no end, among healthy scans."""
    healthy, chosen, bad = tmp_path / "healthy", {}, 0
    healthy.mkdir()
    for number, head in enumerate([*corpus.heads, *corpus.heads[:, :, ::-1]]):
        Image.fromarray(head).save(healthy / f"good-{number}.png")
    for case in corpus.of("scans"):
        if case.told == "unreadable" and case.fault != "odd name":
            chosen.setdefault((case.format, case.fault), case)
    for bad, case in enumerate(chosen.values(), 1):
        name = f"bad-{bad}{''.join(Path(case.place).suffixes[-2:])}"
        (healthy / name).symlink_to(corpus.scans / case.place)
    words = ("--detector", "intensity", "--size", 64, "--no-fitness-check")
    outcome = atypia("fit", healthy, "-o", tmp_path / "brain.atypia", *words)
    assert outcome.code == 1, outcome.err
    assert bad >= 25
    assert f"left out: {bad - 10} more" in outcome.err
    counts = re.match(r"learned from (\d+) healthy scans, calibrated on (\d+) others", outcome.out)
    assert counts is not None
    assert sum(map(int, counts.groups())) == 24


def test_p_values_of_all_of_it_are_monitored(atypia: Any, judged: Any, tmp_path: Path) -> None:
    outcome = atypia("monitor", judged[1] / "findings.csv", "-o", tmp_path / "out")
    assert outcome.code in (0, 1)
    assert re.search(r"\d+ could not be judged", outcome.out + outcome.err)
    assert "<script>alert" not in (tmp_path / "out/monitor.html").read_text(encoding="utf-8")


def test_broken_tables_are_refused_in_one_line(atypia: Any, corpus: Any, tmp_path: Path) -> None:
    for case in corpus.of("tables"):
        outcome = atypia("score", *SHIPPED, corpus.root / "tables" / case.place, "-o", tmp_path / "out")
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1), (case, outcome)


def test_spoilt_screeners_are_refused_in_one_line(atypia: Any, corpus: Any) -> None:
    for case in corpus.of("screeners"):
        outcome = atypia("info", corpus.root / "screeners" / case.place)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (3, "", 1), (case, outcome)


def test_the_cases_are_written_down(corpus: Any) -> None:
    lines = (corpus.root / "corpus.jsonl").read_text().splitlines()
    assert [json.loads(line)["place"] for line in lines] == [case.place for case in corpus.cases]
