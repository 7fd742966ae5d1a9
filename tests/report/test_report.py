from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atypia.errors import OutputError
from atypia.evaluation.cases import Cases
from atypia.evaluation.evaluation import Evaluation
from atypia.evaluation.image_metrics import ImageMetrics
from atypia.report import report
from atypia.report.card import ReportCard
from atypia.report.report import write_report

RESEARCH = "Research use only. Not a medical device."
SYNTHETIC = "Synthetic data: figures say that the machinery works, not how good it is."
CHARTS = [
    "score_histograms",
    "confusion_matrix",
    "roc",
    "precision_recall",
    "p_values",
    "lesions",
    "training_curve",
]
PICTURES = ["highest_normal", "lowest_abnormal", "lowest_normal", "highest_abnormal"]
RECONSTRUCTIONS = ["reconstructions_normal", "reconstructions_abnormal"]
VOID = {"meta", "img", "source", "link", "br", "hr"}


class Page(HTMLParser):
    """What a page is made of: its tags with their attributes, its words, and whether its tags close."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


@pytest.fixture(scope="module")
def parsed(page: Path) -> Page:
    return Page(page)


def test_the_page_needs_nothing_else(parsed: Page, page: Path) -> None:
    for attributes in parsed.all("img", "source"):
        address = attributes.get("src") or attributes.get("srcset") or ""
        assert address.startswith(("data:image/svg+xml;base64,", "data:image/png;base64,"))
    assert all((attributes["href"] or "").startswith("#") for attributes in parsed.all("a"))
    assert {"script", "link", "iframe", "object", "form"}.isdisjoint(tag for tag, _ in parsed.tags)
    assert not any(name.startswith("on") for _, attributes in parsed.tags for name in attributes)
    style = re.search("<style>(.*?)</style>", page.read_text(encoding="utf-8"), re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_the_page_is_well_formed_and_accessible(parsed: Page) -> None:
    assert parsed.open == []
    assert parsed.all("html") == [{"lang": "en"}]
    assert all(len(attributes["alt"] or "") > 20 for attributes in parsed.all("img"))
    identifiers = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert max(Counter(identifiers).values()) == 1
    assert {(attributes["href"] or "")[1:] for attributes in parsed.all("a")} <= set(identifiers)
    levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert max(np.diff(levels)) <= 1
    assert all("scope" in attributes for attributes in parsed.all("th"))


def test_light_and_dark_pages_get_their_own_charts(parsed: Page, page: Path) -> None:
    dark = parsed.all("source")
    assert len(dark) == len(CHARTS)
    assert all(attributes["media"] == "(prefers-color-scheme: dark)" for attributes in dark)
    light = [attributes["src"] for attributes in parsed.all("img")]
    assert all(attributes["srcset"] not in light for attributes in dark)
    assert "@media (prefers-color-scheme: dark)" in page.read_text(encoding="utf-8")


def test_the_notices_stand_first_and_last(parsed: Page) -> None:
    assert parsed.text.count(RESEARCH) == parsed.text.count(SYNTHETIC) == 2
    assert parsed.text.index(RESEARCH) < parsed.text.index("AUROC")
    assert parsed.text.rindex(RESEARCH) > parsed.text.rindex("Versions")


def test_what_users_name_is_text_and_never_markup(parsed: Page, page: Path) -> None:
    assert "<script" not in page.read_text(encoding="utf-8")
    hostile = "<script>alert('x')</script>&\"$x^2$.png"
    assert parsed.text.count(hostile) >= 4  # title, heading, a false alarm, an error


def test_the_figures_on_the_page_are_those_of_the_evaluation(parsed: Page, evaluation: Evaluation) -> None:
    counts = evaluation.image.confusion
    for told in (
        f"{evaluation.image.auroc:.3f}",
        f"{counts.right}/188",
        f"{counts.true_positive}/90",
        f"{counts.true_negative}/98",
        "1 scan could not be judged",
        "This split LEAKS",
        "atypia evaluate brain.atypia phantom/table.csv -o out",
        "deep.a",
        "glioma",
        "onnxruntime",
    ):
        assert told in parsed.text


def test_metrics_and_figures_lie_beside_the_page(page: Path, evaluation: Evaluation) -> None:
    out = page.parent
    assert json.loads((out / "metrics.json").read_text(encoding="utf-8")) == evaluation.to_dict()
    figures = sorted(path.stem for path in (out / "figures").iterdir())
    assert figures == sorted(CHARTS + PICTURES + RECONSTRUCTIONS)
    for path in (out / "figures").iterdir():
        with Image.open(path) as picture:
            picture.load()
            assert picture.width > 1000
            assert picture.text["Disclaimer"] == RESEARCH
            assert picture.getpixel((0, 0))[3] == 255
    assert sorted(path.name for path in out.iterdir()) == ["figures", "metrics.json", "report.html"]


def test_a_bare_card_and_one_label_make_a_page(tmp_path: Path, evaluation: Evaluation) -> None:
    normal = evaluation.verdicts.where(~evaluation.verdicts.labels)
    bare = Evaluation(
        image=ImageMetrics.of(normal, 1.0),
        pixel=None,
        verdicts=normal,
        cases=Cases(),
        provenance={"source": "healthy"},
    )
    path = write_report(bare, tmp_path, title="Healthy only", card=ReportCard(detector="knn"))
    parsed = Page(path)
    assert SYNTHETIC not in parsed.text
    assert "needs scans of a label that is missing here" in parsed.text
    assert "nan" not in parsed.text.lower().split()
    assert [file.stem for file in sorted((tmp_path / "figures").iterdir())] == [
        "confusion_matrix",
        "score_histograms",
    ]


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("verdicts", "promises", "places", "training", "reconstructions", "cases")
    sections: dict[str, list[object]] = {name: [] for name in names}
    monkeypatch.setattr(report, "_sections", lambda *_: sections)


@pytest.mark.usefixtures("without_figures")
def test_odd_bytes_in_names_are_written_as_escapes(
    tmp_path: Path, evaluation: Evaluation, card: ReportCard
) -> None:
    odd = replace(evaluation, problems=("scan\udcff.png: no mask",))
    path = write_report(odd, tmp_path, title="x", card=card)
    assert "scan\\udcff.png" in path.read_text(encoding="utf-8")
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8")) == odd.to_dict()


@pytest.mark.usefixtures("without_figures")
def test_many_failures_are_counted_and_few_named(
    tmp_path: Path, evaluation: Evaluation, card: ReportCard
) -> None:
    failed = replace(evaluation.unreadable[0], name="lost.png")
    many = replace(evaluation, unreadable=(failed,) * 33)
    text = Page(write_report(many, tmp_path, title="x", card=card)).text
    assert text.count("lost.png") == 20
    assert "And 13 more." in text


@pytest.mark.usefixtures("without_figures")
def test_a_place_that_cannot_be_written_is_an_output_error(
    tmp_path: Path, evaluation: Evaluation, card: ReportCard
) -> None:
    (tmp_path / "out").write_text("a file, not a folder")
    with pytest.raises(OutputError, match=r"metrics\.json: could not be written"):
        write_report(evaluation, tmp_path / "out", title="x", card=card)


def test_drawing_leaves_pyplot_alone() -> None:
    code = "import sys, atypia.report.report; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
