"""A whole study in one call: score labelled scans with a Screener, measure, and write the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from atypia.atomic import write_whole
from atypia.copies import cluster_ungrouped
from atypia.destination import replacing
from atypia.errors import BadTable
from atypia.evaluation.evaluation import Evaluation, evaluate
from atypia.evaluation.leaks import WORD, demand_no_leak, leaks_of, learned_note
from atypia.progress import progress
from atypia.reading.collection import Collection, Row, read_collection
from atypia.reading.cutting import AS_IT_IS, Cutting
from atypia.report.card import ReportCard
from atypia.report.model_card import model_card, record_evaluation, to_markdown
from atypia.report.report import write_report
from atypia.scan import Finding
from atypia.screener import Screener
from atypia.screener.learned_files import count_learned
from atypia.threshold import Threshold
from atypia.threshold.healthy import HealthyScores
from atypia.writing.table import FindingsWriter

HIDDEN_PARAMETERS = ("history", "encoder")


@dataclass(frozen=True)
class Study:
    """Labelled scans to measure on, and what a reader of the figures must not miss of them.

    `notes` are sentences for the report; those that begin with LEAKS say that the scans were learned from.
    `synthetic` says that the scans were rendered, not taken. `clustered` says that their groups are clusters
    of near-copies that were found here, not patients that a table names. `allow_leak` lets `run_study` go on
    where it finds that a Screener has learned from the scans.
    """

    scans: Collection
    notes: tuple[str, ...] = ()
    synthetic: bool = False
    clustered: bool = False
    allow_leak: bool = False

    @property
    def leaks(self) -> tuple[str, ...]:
        """The notes that say how the scans were learned from."""
        return tuple(note for note in self.notes if note.startswith(WORD))


def read_study(
    source: Path,
    *,
    root: Path | None = None,
    split: str = "test",
    allow_leak: bool = False,
    cutting: Cutting = AS_IT_IS,
) -> Study:
    """Return the rows of `split` where the table or folder has splits, else all of them.

    `cutting` is how volumes become slices: that of the Screener.
    Where no row has a group, near-copies are found and clustered, over all splits.
    Raises BadTable where no row has that split, where the split leaks and that is not allowed, and as
    `read_collection` does.
    """
    table = read_collection(source, root=root, cutting=cutting)
    chosen = table.select(split=split) if table.has_splits else table
    if not len(chosen):
        splits = ", ".join(sorted({row.split for row in table if row.split}))
        raise BadTable(
            f"{table.source}: expected rows whose split is {split}, received only {splits}. "
            "Name one of them with --split."
        )
    table, note = grouped(table)
    leaks = tuple(leaks_of(table, split)) if table.has_splits else ()
    demand_no_leak(table.source, leaks, allow=allow_leak)
    study = study_of(table.select(split=split) if table.has_splits else table, *leaks, *note)
    return replace(study, clustered=bool(note), allow_leak=allow_leak)


def read_two_folders(
    normal: Path, abnormal: Path, *, allow_leak: bool = False, cutting: Cutting = AS_IT_IS
) -> Study:
    """Return the scans of a folder of healthy and a folder of abnormal ones, labelled so.

    Near-copies among them are found and clustered; `cutting` is as in `read_study`.
    Raises as `read_collection` does.
    """
    rows = [
        replace(row, label=label, name=f"{label}/{row.name}", split=None)
        for source, label in ((normal, "normal"), (abnormal, "abnormal"))
        for row in read_collection(source, cutting=cutting)
    ]
    scans, note = grouped(Collection(tuple(rows), f"{normal}, {abnormal}"))
    return replace(study_of(scans, *note), clustered=bool(note), allow_leak=allow_leak)


def study_of(scans: Collection, *notes: str) -> Study:
    """Return a study of these scans."""
    return Study(scans, notes, is_phantom(scans))


def grouped(table: Collection) -> tuple[Collection, tuple[str, ...]]:
    """Return a table with its groups; one that names none gets clusters of near-copies, and a note."""
    if table.has_groups:
        return table, ()
    clustered, found = cluster_ungrouped(table)
    return clustered, (
        f"{found}. Patients are not known: slices of one may stand both among the scans learned from and "
        "here, and count as independent.",
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

    The figures are recorded in the Screener in memory, and its model card is written as `model-card.md`.
    What an earlier study left there is replaced. Raises BadTable where no scan has a label or none can be
    judged, or where the Screener has learned from some and neither a note of the study says that it leaks nor
    `study.allow_leak` is set; OutputError where writing fails.
    """
    study = _with_learned(screener, study)
    with replacing(out, "findings.*", "figures/*.png"):
        found = screener.score(study.scans, heatmaps=True, pictures=True)
        with FindingsWriter(out / "findings.csv") as writer:
            evaluation = evaluate(
                _written(progress(found, total=len(study.scans), label="scoring"), writer),
                study.scans,
                pixel_threshold=screener.healthy_map_.threshold if screener.healthy_map_ else None,
                pixel_usual=screener.healthy_map_.median if screener.healthy_map_ else 0.0,
                alpha=promised_rate(screener.threshold_),
                calibration_groups=_calibration_groups(screener),
                healthy=_healthy_patients(screener),
                by_group=not study.clustered,
                leaks=study.leaks,
                provenance=screener.provenance,
            )
        record_evaluation(screener, evaluation.to_dict())
        write_report(evaluation, out, title=title, card=make_card(screener, study, command))
        write_whole(out / "model-card.md", to_markdown(model_card(screener)) + "\n")
    return evaluation


def promised_rate(threshold: Threshold | None) -> float | None:
    """Return the rate of false alarms that a threshold promises; None where its rule promises none."""
    if threshold is None:
        return None
    rates = {"conformal": threshold.parameter, "quantile": 1 - threshold.parameter}
    return rates.get(threshold.rule)


def _calibration_groups(screener: Screener) -> int | None:
    return screener.threshold_.calibration.group_count if screener.threshold_ else None


def _healthy_patients(screener: Screener) -> HealthyScores | None:
    """Return the healthy scores of the calibration where their groups are patients, not copies."""
    known = screener.threshold_ is not None and screener.provenance.get("grouped")
    return screener.threshold_.calibration if known and screener.threshold_ else None


def _with_learned(screener: Screener, study: Study) -> Study:
    """Add a note where the Screener has learned from these very files; raise BadTable if none is due."""
    note = learned_note(count_learned(study.scans, screener.learned_files_), len(study.scans))
    if note is None or not study.scans.has_labels:  # what has no label is refused for that
        return study
    demand_no_leak(study.scans.source, [note], allow=study.allow_leak or bool(study.leaks))
    return replace(study, notes=(note, *study.notes))


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
        model_card=model_card(screener),
    )


def _parameters(screener: Screener, parameters: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a table for each part; the detector's recipe, or settings, is lifted to the top."""
    detector: dict[str, Any] = {}
    for name, value in parameters.items():
        if name not in HIDDEN_PARAMETERS:
            detector |= value if isinstance(value, dict) else {name: value}
    threshold = screener.threshold_
    return {
        "Preparation": screener.preparation.to_dict(),
        "Detector": detector,
        "Threshold": threshold.card() if threshold else {"rule": screener.rule},
    }


def _data(screener: Screener, scans: Collection) -> dict[str, Any]:
    return {
        "healthy scans learned from": screener.provenance.get("train_scans"),
        "healthy scans for the threshold": screener.provenance.get("calibration_scans"),
        "normal scans judged": len(scans.select(label="normal")),
        "abnormal scans judged": len(scans.select(label="abnormal")),
        "listed in": scans.title,
        "groups known": "yes" if scans.has_groups else "no: slices of one patient may be on both sides",
    }
