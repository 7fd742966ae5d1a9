"""A whole study in one call: score labelled scans with a Screener, measure, and write the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from atypia.destination import replacing
from atypia.errors import BadTable
from atypia.evaluation.evaluation import Evaluation, evaluate
from atypia.progress import progress
from atypia.reading.collection import Collection, Row, read_collection
from atypia.report.card import ReportCard
from atypia.report.report import write_report
from atypia.scan import Finding
from atypia.screener import Screener
from atypia.writing.table import FindingsWriter

LEARNED = ("train", "threshold")
TESTED = ("test", "tumor_test")
HIDDEN_PARAMETERS = ("history", "encoder")


@dataclass(frozen=True)
class Study:
    """Labelled scans to measure on, and what a reader of the figures must not miss of them.

    `notes` are sentences for the report; `synthetic` says that the scans were rendered, not taken.
    """

    scans: Collection
    notes: tuple[str, ...] = ()
    synthetic: bool = False


def read_study(source: Path, *, root: Path | None = None, split: str = "test") -> Study:
    """Return the rows of `split` where the table or folder has splits, else all of them.

    Raises BadTable where no row has that split, and as `read_collection` does.
    """
    table = read_collection(source, root=root)
    if not table.has_splits:
        return study_of(table)
    chosen = table.select(split=split)
    if not len(chosen):
        splits = ", ".join(sorted({row.split for row in table if row.split}))
        raise BadTable(
            f"{table.source}: expected rows whose split is {split}, received only {splits}. "
            "Name one of them with --split."
        )
    return study_of(chosen, *split_notes(table, split))


def read_two_folders(normal: Path, abnormal: Path) -> Study:
    """Return the scans of a folder of healthy and a folder of abnormal ones, labelled so."""
    rows = [
        replace(row, label=label, name=f"{label}/{row.name}", split=None)
        for source, label in ((normal, "normal"), (abnormal, "abnormal"))
        for row in read_collection(source)
    ]
    return study_of(Collection(tuple(rows), f"{normal}, {abnormal}"))


def study_of(scans: Collection, *notes: str) -> Study:
    """Return a study of these scans."""
    return Study(scans, notes, is_phantom(scans))


def split_notes(table: Collection, split: str) -> Iterator[str]:
    """Yield what must be said of figures on one split of a table."""
    if split in LEARNED:
        yield (
            f"LEAKS: the rows of the split {split} are those that a fit on this table sees. The figures say "
            "nothing of new scans."
        )
    elif note := leak_note(table, (split,)):
        yield note


def leak_note(table: Collection, tested: tuple[str, ...] = TESTED) -> str | None:
    """Say where groups stand both among the scans learned from and among those tested on."""
    learned = {row.group for row in table if row.split in LEARNED and row.group is not None}
    rows = [row for row in table if row.split in tested]
    touched = sum(row.group in learned for row in rows)
    if not touched:
        return None
    return (
        f"LEAKS: {touched} of {len(rows)} test scans belong to a group (a patient, or copies of one image) "
        "that was also learned from or calibrated on. The figures are too good."
    )


def is_phantom(scans: Iterable[Row]) -> bool:
    """Tell whether any of the scans is of the phantom, by its groups or by the note in its folder."""
    rows = list(scans)
    if any(row.group is not None and row.group.startswith("phantom-") for row in rows):
        return True
    notes = (folder.parent / "README.txt" for folder in {row.path.parent for row in rows})
    return any(note.is_file() and note.read_bytes().startswith(b"Synthetic data") for note in notes)


def run_study(
    screener: Screener, study: Study, out: Path, *, title: str = "Evaluation", command: str | None = None
) -> Evaluation:
    """Score the scans, write `findings.csv`, `metrics.json`, `figures/` and `report.html` into `out`.

    What an earlier study left there is replaced.
    Raises BadTable where no scan has a label or none can be judged, OutputError where writing fails.
    """
    with replacing(out, "findings.*", "figures/*.png"):
        found = screener.score(study.scans, heatmaps=True, pictures=True)
        with FindingsWriter(out / "findings.csv") as writer:
            evaluation = evaluate(
                _written(progress(found, total=len(study.scans), label="scoring"), writer),
                study.scans,
                pixel_threshold=screener.healthy_map_.threshold if screener.healthy_map_ else None,
                provenance=screener.provenance,
            )
        write_report(evaluation, out, title=title, card=make_card(screener, study, command))
    return evaluation


def _written(findings: Iterable[Finding], writer: FindingsWriter) -> Iterator[Finding]:
    for finding in findings:
        writer.write(finding)
        yield finding


def make_card(screener: Screener, study: Study, command: str | None = None) -> ReportCard:
    """Gather what the report tells of a Screener and of the scans it was measured on."""
    parameters = screener.detector.state().parameters
    encoder, healthy = parameters.get("encoder"), screener.healthy_map_
    return ReportCard(
        detector=screener.detector.name,
        encoder=f"{encoder['name']} ({', '.join(encoder['cut'])})" if encoder else None,
        parameters=_parameters(screener, parameters),
        history=tuple(parameters.get("history") or ()),
        data=_data(screener, study.scans),
        versions={"atypia": version("atypia"), **screener.provenance.get("versions", {})},
        command=command,
        notes=study.notes,
        synthetic=study.synthetic,
        calibration=screener.threshold_.healthy if screener.threshold_ else None,
        heat_scale=healthy.heat_scale if healthy else None,
        pixel_threshold=healthy.threshold if healthy else None,
    )


def _parameters(screener: Screener, parameters: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a table for each part; the detector's recipe, or settings, is lifted to the top."""
    detector: dict[str, Any] = {}
    for name, value in parameters.items():
        if name not in HIDDEN_PARAMETERS:
            detector |= value if isinstance(value, dict) else {name: value}
    threshold = screener.threshold_
    decided = {"parameter": threshold.parameter, "value": threshold.value} if threshold else {}
    return {
        "Preparation": screener.preparation.to_dict(),
        "Detector": detector,
        "Threshold": {"rule": screener.rule, **decided},
    }


def _data(screener: Screener, scans: Collection) -> dict[str, Any]:
    return {
        "healthy scans learned from": screener.provenance.get("train_scans"),
        "healthy scans for the threshold": screener.provenance.get("calibration_scans"),
        "normal scans judged": len(scans.select(label="normal")),
        "abnormal scans judged": len(scans.select(label="abnormal")),
        "listed in": scans.source,
        "groups known": "yes" if scans.has_groups else "no: slices of one patient may be on both sides",
    }
