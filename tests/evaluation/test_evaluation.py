from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from atypia.errors import BadTable
from atypia.evaluation.cases import KEEP, LONGEST_SIDE
from atypia.evaluation.evaluation import Evaluation, evaluate
from atypia.reading.collection import Collection, Row
from atypia.scan import Finding

SHAPE = (40, 50)
THRESHOLD = 1.0


def schema() -> dict[str, object]:
    text = files("atypia.evaluation").joinpath("metrics.schema.json").read_text(encoding="utf-8")
    return json.loads(text)


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def make_row(folder: Path, place: int, abnormal: bool, rng: np.random.Generator) -> Row:
    """Write one noisy scan; an abnormal one gets a mask and a kind."""
    name = f"{place:03}.png"
    path = save(folder / name, rng.integers(0, 255, SHAPE))
    if not abnormal:
        return Row(path, name, label="normal")
    mask = np.zeros(SHAPE)
    mask[10:20, 15 : 20 + place % 10] = 255
    kind = "glioma" if place % 2 else "meningioma"
    return Row(path, name, label="abnormal", kind=kind, mask=save(folder / f"mask-{name}", mask))


def make_finding(row: Row, rng: np.random.Generator) -> Finding:
    abnormal = row.label == "abnormal"
    score = float(rng.normal(loc=1.8 if abnormal else 0.3, scale=0.6))
    heatmap = rng.random(SHAPE, dtype=np.float32)
    heatmap[10:20, 15:22] += abnormal
    return Finding(row.name, score, 0.5, score > THRESHOLD, THRESHOLD, heatmap=heatmap)


def measure(findings: Iterable[Finding], collection: Collection, **options: Any) -> Evaluation:
    """Evaluate with few resamples and without baselines, which have tests of their own."""
    return evaluate(findings, collection, **{"resamples": 60, "baselines": False, **options})


@pytest.fixture
def collection(tmp_path: Path, rng: np.random.Generator) -> Collection:
    rows = tuple(make_row(tmp_path, place, place >= 12, rng) for place in range(30))
    return Collection(rows, "table.csv")


@pytest.fixture
def findings(collection: Collection, rng: np.random.Generator) -> list[Finding]:
    return [make_finding(row, rng) for row in collection]


def test_image_figures_are_those_of_the_findings(collection: Collection, findings: list[Finding]) -> None:
    measured = measure(iter(findings), collection)
    scores = [finding.score for finding in findings]
    labels = [row.label == "abnormal" for row in collection]
    assert measured.image.auroc == pytest.approx(roc_auc_score(labels, scores))
    assert measured.image.average_precision == pytest.approx(average_precision_score(labels, scores))
    assert (measured.image.confusion.normal, measured.image.confusion.abnormal) == (12, 18)
    assert measured.image.confusion.right == sum(
        finding.flagged == label for finding, label in zip(findings, labels, strict=True)
    )
    assert measured.image.threshold == THRESHOLD


def test_the_order_of_findings_does_not_matter(collection: Collection, findings: list[Finding]) -> None:
    forth, back = measure(findings, collection), measure(findings[::-1], collection)
    assert forth.to_dict() == back.to_dict()
    assert [case.name for case in forth.cases.all()] == [case.name for case in back.cases.all()]


def test_pixel_figures_are_on_the_grid_of_the_scans(collection: Collection, findings: list[Finding]) -> None:
    measured = measure(findings, collection, pixel_threshold=1.0).pixel
    assert measured is not None
    masks = np.stack(
        [np.asarray(Image.open(row.mask)) > 0 if row.mask else np.zeros(SHAPE, bool) for row in collection]
    )
    maps = np.stack([finding.heatmap for finding in findings if finding.heatmap is not None])
    assert measured.auroc == pytest.approx(roc_auc_score(masks.ravel(), maps.ravel()), abs=1e-3)
    assert (measured.masked_scans, measured.normal_scans) == (18, 12)
    assert measured.abnormal_pixels == masks.sum()
    found = maps >= 1.0
    assert measured.dice == pytest.approx(2 * (found & masks).sum() / (found.sum() + masks.sum()), abs=1e-3)
    assert measured.best_dice >= measured.dice


def test_kinds_of_tumour_stand_against_all_normal_scans(
    collection: Collection, findings: list[Finding]
) -> None:
    by_kind = {entry.name: entry for entry in measure(findings, collection).strata["kind"]}
    assert list(by_kind) == ["glioma", "meningioma"]
    assert all(entry.image.confusion.normal == entry.normal == 12 for entry in by_kind.values())
    assert all(entry.image.confusion.abnormal == entry.abnormal == 9 for entry in by_kind.values())
    assert not by_kind["glioma"].own_normals


def test_planes_stand_against_their_own_normal_scans(collection: Collection, findings: list[Finding]) -> None:
    rows = tuple(replace(row, kind="axial" if place % 3 else None) for place, row in enumerate(collection))
    (axial,) = measure(findings, replace(collection, rows=rows)).strata["kind"]
    assert axial.own_normals
    assert (axial.image.confusion.normal, axial.image.confusion.abnormal) == (8, 12)


def test_scans_that_failed_are_counted_and_told(collection: Collection, findings: list[Finding]) -> None:
    findings[0] = Finding(findings[0].name, float("nan"), float("nan"), None, THRESHOLD, error="truncated")
    findings[-1] = Finding(findings[-1].name, float("nan"), float("nan"), None, THRESHOLD, error="no head")
    measured = measure(findings, collection)
    assert measured.image.unreadable == 2
    assert (measured.image.confusion.normal, measured.image.confusion.abnormal) == (11, 17)
    assert [entry.error for entry in measured.unreadable] == ["truncated", "no head"]
    assert [(entry.name, entry.unreadable) for entry in measured.strata["kind"]] == [
        ("glioma", 1),
        ("meningioma", 0),
    ]


def test_a_mask_that_cannot_be_used_costs_one_scan(collection: Collection, findings: list[Finding]) -> None:
    broken, small = collection.rows[12], collection.rows[13]
    assert broken.mask is not None
    assert small.mask is not None
    broken.mask.write_text("no picture")
    save(small.mask, np.zeros((20, 20)))
    measured = measure(findings, collection)
    assert measured.pixel is not None
    assert measured.pixel.masked_scans == 16
    assert [problem.split(":")[0] for problem in measured.problems] == [broken.name, small.name]


@pytest.mark.parametrize("without", ["masks", "heatmaps", "wish"])
def test_without_masks_or_maps_there_are_no_pixel_figures(
    collection: Collection, findings: list[Finding], without: str
) -> None:
    if without == "masks":
        collection = replace(collection, rows=tuple(replace(row, mask=None) for row in collection))
    if without == "heatmaps":
        findings = [replace(finding, heatmap=None) for finding in findings]
    measured = measure(findings, collection, heatmaps=without != "wish")
    assert measured.pixel is None
    assert measured.to_dict()["pixel"] is None


def test_the_best_and_worst_cases_are_kept_with_pictures(
    collection: Collection, findings: list[Finding]
) -> None:
    cases = measure(findings, collection).cases
    normal = sorted(finding.score for finding in findings[:12])
    abnormal = sorted(finding.score for finding in findings[12:])
    assert [case.score for case in cases.highest_normal] == normal[:-5:-1]
    assert [case.score for case in cases.lowest_abnormal] == abnormal[:4]
    assert [case.score for case in cases.lowest_normal] == normal[:4]
    assert [case.score for case in cases.highest_abnormal] == abnormal[:-5:-1]
    for case in cases.all():
        assert case.scan is not None
        assert case.heatmap is not None
        assert case.scan.shape == case.heatmap.shape == SHAPE
        assert (case.mask is not None) == case.abnormal


def test_no_case_is_both_best_and_worst(collection: Collection, findings: list[Finding]) -> None:
    few = findings[:6] + findings[-3:]
    cases = measure(few, collection).cases
    assert len(cases.highest_normal) == KEEP
    assert [case.score for case in cases.lowest_normal] == sorted(finding.score for finding in few[:6])[:2]
    assert len(cases.lowest_abnormal) == 3
    assert cases.highest_abnormal == ()


def test_the_pictures_of_large_scans_are_made_smaller(tmp_path: Path, rng: np.random.Generator) -> None:
    shape = (2 * LONGEST_SIDE + 1, 100)
    mask = np.zeros(shape)
    mask[300:400, 30:60] = 255
    path = save(tmp_path / "large.png", rng.integers(0, 255, shape))
    row = Row(path, "large.png", label="abnormal", mask=save(tmp_path / "mask.png", mask))
    finding = Finding("large.png", 2, 0.1, True, 1, heatmap=rng.random(shape, dtype=np.float32))
    (case,) = measure([finding], Collection((row,), "here")).cases.drawn_abnormal
    assert case.scan is not None
    assert case.heatmap is not None
    assert case.mask is not None
    assert case.scan.shape == case.heatmap.shape == case.mask.shape == (214, 34)
    assert case.mask.sum() == pytest.approx(mask.sum() / 255 / 9, rel=0.1)


def test_a_scan_that_has_gone_leaves_a_case_without_picture(
    collection: Collection, findings: list[Finding]
) -> None:
    for row in collection:
        row.path.unlink()
    cases = measure(findings, collection, heatmaps=False).cases
    assert all(case.scan is None and case.heatmap is not None for case in cases.all())


@pytest.mark.parametrize("label", ["normal", "abnormal"])
def test_one_label_only_leaves_null_where_both_are_needed(
    collection: Collection, findings: list[Finding], label: str
) -> None:
    chosen = collection.select(label=label)
    names = {row.name for row in chosen}
    values = measure([finding for finding in findings if finding.name in names], chosen).to_dict()
    jsonschema.validate(values, schema())
    image = values["image"]
    assert image["auroc"] is None
    assert image["average_precision"] is None
    assert image["intervals"]["auroc"] == [None, None]
    assert (image["sensitivity"] is None) == (label == "normal")
    assert (image["specificity"] is None) == (label == "abnormal")
    assert image["accuracy"] is not None


def test_the_content_of_metrics_json_obeys_its_schema(
    collection: Collection, findings: list[Finding]
) -> None:
    provenance = {"model": "brain.atypia", "seconds": np.float32(3), "odd": float("inf"), "path": Path("x")}
    values = measure(findings, collection, pixel_threshold=0.9, provenance=provenance).to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(values, schema())
    assert values["provenance"]["source"] == "table.csv"
    assert values["provenance"]["odd"] is None
    del values["image"]["counts"]["unreadable"]
    with pytest.raises(jsonschema.ValidationError, match="unreadable"):
        jsonschema.validate(values, schema())


def described(node: object, place: str = "") -> Iterator[tuple[str, bool]]:
    """Yield every property in the schema and whether it is explained."""
    if not isinstance(node, dict):
        return
    for name, entry in node.get("properties", {}).items():
        yield f"{place}/{name}", "description" in entry
    for name, entry in {**node.get("properties", {}), **node.get("$defs", {})}.items():
        yield from described(entry, f"{place}/{name}")


def test_every_field_of_the_schema_is_explained() -> None:
    fields = dict(described(schema()))
    assert len(fields) > 30
    assert [place for place, explained in fields.items() if not explained] == []


def test_findings_without_label_are_counted_only(collection: Collection, findings: list[Finding]) -> None:
    rows = (replace(collection.rows[0], label=None), *collection.rows[1:])
    measured = measure(findings, replace(collection, rows=rows))
    assert measured.unlabelled == 1
    assert len(measured.verdicts) == 29


def test_a_table_without_labels_is_refused_before_any_scan(collection: Collection) -> None:
    def untouched() -> Iterator[Finding]:
        raise AssertionError
        yield

    bare = replace(collection, rows=tuple(replace(row, label=None) for row in collection))
    with pytest.raises(BadTable, match=r"table\.csv: expected a label"):
        measure(untouched(), bare)


def test_findings_that_all_failed_are_refused(collection: Collection) -> None:
    nan = float("nan")
    failed = [Finding(row.name, nan, nan, None, THRESHOLD, error="truncated") for row in collection]
    with pytest.raises(BadTable, match=r"30 could not be judged.*truncated"):
        measure(failed, collection)
    with pytest.raises(BadTable, match="0 could not be judged"):
        measure([], collection)


def test_findings_that_do_not_belong_are_refused(collection: Collection, findings: list[Finding]) -> None:
    with pytest.raises(BadTable, match="none named 'stranger'"):
        measure([*findings, replace(findings[0], name="stranger")], collection)
    with pytest.raises(BadTable, match="received a second"):
        measure([*findings, findings[0]], collection)
    with pytest.raises(BadTable, match="at 2 after others at 1"):
        measure([findings[0], replace(findings[1], threshold=2.0)], collection)
