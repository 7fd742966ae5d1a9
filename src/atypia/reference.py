"""The published reference system, run whole: as published, on fixed splits, and beside what ships."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from atypia.atomic import atomic
from atypia.datasets.split import split_collection
from atypia.detectors import Autoencoder
from atypia.errors import BadTable
from atypia.networks.recipe import RECIPES, Recipe
from atypia.notice import RESEARCH_USE_ONLY
from atypia.preparation import Preparation
from atypia.reading.collection import Collection, read_collection
from atypia.screener import Screener
from atypia.study import Telling, leak_note, run_study

SIZES = {"train": 1400, "threshold": 200, "validation": 200, "test": 200}
PUBLISHED = {"accuracy": 0.895, "sensitivity": 0.94, "specificity": 0.85}
STRICT = Preparation(crop=False, aspect="stretch", intensity="range")
RESHUFFLED = (
    "LEAKS: as published, the split is drawn anew in every epoch, so that the normal scans of the test "
    "and of the threshold are trained on."
)


@dataclass(frozen=True)
class Run:
    """One row: its name, scans, how it is prepared and trained, and what must be said of it."""

    name: str
    table: Collection
    recipe: Recipe
    preparation: Preparation
    reshuffled: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must not miss."""
        return tuple(
            note for note in (RESHUFFLED if self.reshuffled else None, leak_note(self.table)) if note
        )


@dataclass(frozen=True)
class Row:
    """What a run gave; `tumour_only` is the share of the tumour-only set that was flagged."""

    name: str
    auroc: float | None
    accuracy: float | None
    sensitivity: float | None
    specificity: float | None
    tumour_only: float | None
    tumour_only_scans: int
    epochs: int
    fit_seconds: float
    leaks: bool


def reproduce(
    *,
    data: Path,
    out: Path,
    tables: tuple[Path, ...] = (),
    weights: Path | None = None,
    epochs: int = 80,
    as_published: bool = True,
    shipped: bool = True,
    seed: int = 0,
    command: str | None = None,
) -> str:
    """Run every row, write its report into `out/NAME/`, and return the table as text.

    Finished rows are not run again, and an unfinished one goes on from its last epoch.
    Raises BadTable where `data` lacks healthy or tumour scans, WeightsError without ResNet50's weights.
    """
    strict = replace(RECIPES["reference"], encoder="resnet50", epochs=epochs)
    ours = replace(
        RECIPES["autoencoder"], encoder="resnet50", epochs=min(epochs, RECIPES["autoencoder"].epochs)
    )
    rows = [
        _row(run, out / run.name, weights, seed, command)
        for run in _runs(_tables(data, tables, seed), strict, ours if shipped else None, as_published)
    ]
    values = {"published": PUBLISHED, "rows": [asdict(row) for row in rows], "notice": RESEARCH_USE_ONLY}
    text = _markdown(rows)
    for name, content in (("reference.json", json.dumps(values, indent=1)), ("reference.md", text)):
        with atomic(out / name) as temporary:
            temporary.write_text(content + "\n", encoding="utf-8")
    return f"{text}\n\n{RESEARCH_USE_ONLY}\nreports: {out}/*/report.html"


def _tables(data: Path, tables: tuple[Path, ...], seed: int) -> dict[str, Collection]:
    if tables:
        return {path.stem: read_collection(path, root=data) for path in tables}
    found = read_collection(data)
    for label in ("normal", "abnormal"):
        if not len(found.select(label=label)):
            raise BadTable(f"{data}: expected folders Healthy and Tumor, received no {label} scans.")
    return {"drawn-split": split_collection(found, sizes=SIZES, seed=seed)}


def _runs(
    tables: Mapping[str, Collection], strict: Recipe, ours: Recipe | None, as_published: bool
) -> Iterator[Run]:
    for place, (name, table) in enumerate(tables.items()):
        if place == 0 and as_published:
            drawn = replace(strict, epoch_size=len(table.select(split="train")))
            yield Run(f"as-published-{name}", table, drawn, STRICT, reshuffled=True)
        yield Run(f"reference-{name}", table, strict, STRICT)
        if ours is not None:
            yield Run(f"shipped-{name}", table, ours, Preparation())


def _row(run: Run, out: Path, weights: Path | None, seed: int, command: str | None) -> Row:
    done = out / "result.json"
    asked = {"recipe": run.recipe.to_dict(), "preparation": run.preparation.to_dict(), "seed": seed}
    if done.exists():
        kept = json.loads(done.read_text(encoding="utf-8"))
        if kept["asked"] == json.loads(json.dumps(asked)):
            return Row(**kept["row"])
    screener, seconds = _fitted(run, out, weights, seed)
    row = _judged(run, screener, out, seconds, command)
    with atomic(done) as temporary:
        temporary.write_text(json.dumps({"asked": asked, "row": asdict(row)}, indent=1), encoding="utf-8")
    return row


def _fitted(run: Run, out: Path, weights: Path | None, seed: int) -> tuple[Screener, float]:
    screener = Screener(Autoencoder(run.recipe, weights), run.preparation)
    normal = run.table.select(label="normal")
    started = time.perf_counter()
    screener.fit(
        normal if run.reshuffled else run.table,
        calibration=run.table.select(split="threshold") if run.reshuffled else None,
        labelled=run.table.select(split="validation"),
        seed=seed,
        work=out / "work",
        resume=True,
    )
    seconds = time.perf_counter() - started
    screener.save(out / "screener.atypia")
    shutil.rmtree(out / "work", ignore_errors=True)
    return screener, seconds


def _judged(run: Run, screener: Screener, out: Path, seconds: float, command: str | None) -> Row:
    telling = Telling(f"Reference system: {run.name}", run.notes, command)
    evaluation = run_study(screener, run.table.select(split="test"), out, telling=telling)
    image = evaluation.image
    tumours = run.table.select(split="tumor_test")
    flagged = [f.flagged for f in screener.score(tumours, heatmaps=False) if f.flagged is not None]
    return Row(
        run.name,
        image.auroc,
        image.confusion.accuracy,
        image.confusion.sensitivity,
        image.confusion.specificity,
        sum(flagged) / len(flagged) if flagged else None,
        len(flagged),
        len(screener.detector.state().parameters["history"]),
        round(seconds, 1),
        bool(run.notes),
    )


def _markdown(rows: list[Row]) -> str:
    head = "| run | AUROC | accuracy | sensitivity | specificity | tumour-only flagged | epochs | fit, minutes | leaks |"
    published = "| published (LEAKS) |  | 0.895 | 0.940 | 0.850 |  | 80 |  | yes |"
    lines = [head, "|---|---|---|---|---|---|---|---|---|", published]
    for row in rows:
        figures = [_figure(v) for v in (row.auroc, row.accuracy, row.sensitivity, row.specificity)]
        alone = f"{_figure(row.tumour_only)} of {row.tumour_only_scans}" if row.tumour_only_scans else ""
        cells = [
            row.name,
            *figures,
            alone,
            str(row.epochs),
            f"{row.fit_seconds / 60:.1f}",
            "yes" if row.leaks else "no",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
