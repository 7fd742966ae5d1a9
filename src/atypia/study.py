"""A whole study in one call: score labelled scans with a Screener, measure, and write the report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from atypia.errors import BadTable
from atypia.evaluation.evaluation import Evaluation, evaluate
from atypia.progress import progress
from atypia.reading.collection import Collection, read_collection
from atypia.report.card import ReportCard
from atypia.report.report import write_report
from atypia.screener import Screener
from atypia.writing.table import FindingsWriter

HIDDEN_PARAMETERS = ("history", "encoder")


@dataclass(frozen=True)
class Telling:
    """What a report says beside its figures: its title, notes that must not be missed, the command."""

    title: str = "Evaluation"
    notes: tuple[str, ...] = ()
    command: str | None = None
    synthetic: bool = False


def run_study(
    screener: Screener, table: Collection, out: Path, *, telling: Telling, heatmaps: bool = True
) -> Evaluation:
    """Score `table`, write `findings.csv`, `metrics.json`, the figures and `report.html` into `out`.

    Raises BadTable where no scan has a label or none can be judged, OutputError where writing fails.
    """
    found = screener.score(table, heatmaps=heatmaps, pictures=True)
    with FindingsWriter(out / "findings.csv") as writer:

        def told() -> Any:
            for finding in progress(found, total=len(table), label="scoring"):
                writer.write(finding)
                yield finding

        evaluation = evaluate(
            told(),
            table,
            heatmaps=heatmaps,
            pixel_threshold=screener.healthy_map_.threshold if screener.healthy_map_ else None,
            provenance=screener.provenance,
        )
    write_report(evaluation, out, title=telling.title, card=make_card(screener, table, telling))
    return evaluation


def make_card(screener: Screener, table: Collection, telling: Telling) -> ReportCard:
    """Gather what the report tells of a Screener and of the scans it was measured on."""
    state = screener.detector.state()
    encoder = state.parameters.get("encoder")
    learned = screener.provenance
    counts = {label: len(table.select(label=label)) for label in ("normal", "abnormal")}
    settings = {k: v for k, v in state.parameters.items() if k not in HIDDEN_PARAMETERS}
    threshold = screener.threshold_
    return ReportCard(
        detector=screener.detector.name,
        encoder=f"{encoder['name']} ({', '.join(encoder['cut'])})" if encoder else None,
        parameters={
            "Preparation": screener.preparation.to_dict(),
            "Detector": _flat(settings),
            "Threshold": {"rule": screener.rule, "parameter": threshold.parameter, "value": threshold.value}
            if threshold
            else {},
        },
        history=tuple(state.parameters.get("history") or ()),
        data={
            "healthy scans learned from": learned.get("train_scans"),
            "healthy scans for the threshold": learned.get("calibration_scans"),
            "normal scans judged": counts["normal"],
            "abnormal scans judged": counts["abnormal"],
            "listed in": table.source,
            "groups known": "yes" if table.has_groups else "no: slices of one patient may be on both sides",
        },
        versions={"atypia": str(learned.get("atypia", "")), **learned.get("versions", {})},
        command=telling.command,
        notes=telling.notes,
        synthetic=telling.synthetic,
        calibration=threshold.healthy if threshold else None,
        heat_scale=screener.healthy_map_.heat_scale if screener.healthy_map_ else None,
        pixel_threshold=screener.healthy_map_.threshold if screener.healthy_map_ else None,
    )


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Lift the one inner dictionary (a recipe, or settings) to the top."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return flat


def read_study(source: Path, root: Path | None, split: str) -> Collection:
    """Return the rows to evaluate: those of `split` where the table has splits, else all."""
    table = read_collection(source, root=root)
    if not table.has_splits:
        return table
    chosen = table.select(split=split)
    if not len(chosen):
        splits = ", ".join(sorted({row.split for row in table if row.split}))
        raise BadTable(
            f"{table.source}: expected rows whose split is {split}, received only {splits}. Try --split."
        )
    return chosen


def read_two_folders(normal: Path, abnormal: Path) -> Collection:
    """Return the scans of a folder of healthy and a folder of abnormal ones, labelled so."""
    rows = []
    for source, label in ((normal, "normal"), (abnormal, "abnormal")):
        for row in read_collection(source):
            rows.append(replace(row, label=label, name=f"{label}/{row.name}", split=None))
    return Collection(tuple(rows), f"{normal}, {abnormal}")


def leak_note(table: Collection) -> str | None:
    """Say where groups stand both among the scans learned from and among those tested on."""
    learned = {row.group for row in table if row.split in ("train", "threshold") and row.group is not None}
    tested = [row for row in table if row.split in ("test", "tumor_test") and row.group is not None]
    touched = [row for row in tested if row.group in learned]
    if not touched:
        return None
    return (
        f"LEAKS: {len(touched)} of {len(tested)} test scans belong to a group (a patient, or copies of one "
        "image) that was also learned from or calibrated on. The figures are too good."
    )


def split_notes(source: Path, root: Path | None) -> tuple[str, ...]:
    """Return what a reader of figures on this table must not miss."""
    note = leak_note(read_collection(source, root=root))
    return (note,) if note else ()
