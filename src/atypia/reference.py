"""The published reference system, run whole: as published, on fixed splits, and beside what ships."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from atypia.atomic import write_whole
from atypia.datasets.split import split_collection
from atypia.detectors import Autoencoder
from atypia.encoders.weights import obtain_weights
from atypia.errors import BadOption, BadTable
from atypia.evaluation.leaks import leak_note
from atypia.networks.recipe import RECIPES, Recipe
from atypia.notice import RESEARCH_USE_ONLY
from atypia.preparation import Preparation
from atypia.progress import progress
from atypia.reading.collection import Collection, read_collection
from atypia.screener import Screener
from atypia.study import run_study, study_of

SIZES = {"train": 1400, "threshold": 200, "validation": 200, "test": 200}
RESHUFFLED = (
    "LEAKS: as published, the split is drawn anew in every epoch, so that the normal scans of the test "
    "and of the threshold are trained on."
)


@dataclass(frozen=True)
class Run:
    """What gives one row: the scans, how they are prepared and learned, and what must be said of it."""

    name: str
    table: Collection
    recipe: Recipe
    preparation: Preparation
    reshuffled: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must not miss: where what is tested on was learned from."""
        found = (RESHUFFLED if self.reshuffled else None, leak_note(self.table))
        return tuple(note for note in found if note)


@dataclass(frozen=True)
class Result:
    """What a run gave; `tumour_only` is the share of the tumour-only scans that was flagged."""

    name: str
    auroc: float | None
    accuracy: float | None
    sensitivity: float | None
    specificity: float | None
    epochs: int
    leaks: bool
    tumour_only: float | None = None
    tumour_only_scans: int = 0
    fit_seconds: float | None = None


PUBLISHED = Result("published", None, 0.895, 0.94, 0.85, epochs=80, leaks=True)


def reproduce(
    *,
    data: Path,
    out: Path,
    tables: tuple[Path, ...] = (),
    weights: Path | None = None,
    epochs: int = PUBLISHED.epochs,
    as_published: bool = True,
    shipped: bool = True,
    seed: int = 0,
    size: int = 224,
    command: str | None = None,
) -> str:
    """Run every row, write its report into `out/NAME/`, and return the table as text.

    `tables` are fixed splits, with paths below `data`; without one a split is drawn. `size` is the side in
    pixels that the networks see, 224 as published.
    Finished rows are not run again, and an unfinished one goes on after its last epoch.
    Raises BadTable where healthy scans or tumours are missing, WeightsError without ResNet50's weights.
    """
    found = _tables(data, tables, seed)
    file = obtain_weights(weights)
    runs = list(_runs(found, epochs, size, as_published=as_published, shipped=shipped))
    results = []
    for number, run in enumerate(runs, 1):
        print(f"{number} of {len(runs)}: {run.name}", file=sys.stderr, flush=True)
        results.append(_result(run, out / run.name, file, seed, command))
    text = _markdown(results)
    values = {
        "published": asdict(PUBLISHED),
        "rows": [asdict(result) for result in results],
        "notice": RESEARCH_USE_ONLY,
    }
    write_whole(out / "reference.json", json.dumps(values, indent=1) + "\n")
    write_whole(out / "reference.md", f"{text}\n\n{RESEARCH_USE_ONLY}\n")
    reports = "\n".join(f"  {out / run.name / 'report.html'}" for run in runs)
    return f"{text}\n\nreports:\n{reports}\n{RESEARCH_USE_ONLY}"


def _tables(data: Path, tables: tuple[Path, ...], seed: int) -> dict[str, Collection]:
    """Return the splits by name; raise BadTable or BadOption where one cannot be learned and tested from."""
    if not tables:
        found = read_collection(data)
        _demand(found, "folders such as Healthy and Tumor", {"normal": None, "abnormal": None})
        return {"drawn-split": split_collection(found, sizes=_sizes(found), seed=seed)}
    named = {path.stem: read_collection(path, root=data) for path in tables}
    if len(named) < len(tables):
        raise BadOption("--table: expected files of different names, for they name the rows of the result.")
    for table in named.values():
        _demand(table, "normal rows of the splits train, threshold and test", {"normal": "train"})
        _demand(table, "normal rows of the splits train, threshold and test", {"normal": "threshold"})
        _demand(table, "normal and abnormal rows of the split test", {"normal": "test", "abnormal": "test"})
    return named


def _demand(table: Collection, expected: str, wanted: Mapping[str, str | None]) -> None:
    for label, split in wanted.items():
        if not len(table.select(label=label, split=split)):
            where = f" in {split}" if split else ""
            raise BadTable(f"{table.source}: expected {expected}, received no {label} scan{where}.")


def _sizes(found: Collection) -> dict[str, float]:
    """Return the published sizes, or the same shares of fewer normal scans."""
    whole, normal = sum(SIZES.values()), len(found.select(label="normal"))
    return {name: size if normal >= whole else size / whole for name, size in SIZES.items()}


def _runs(
    tables: Mapping[str, Collection], epochs: int, size: int, *, as_published: bool, shipped: bool
) -> Iterator[Run]:
    strict = replace(RECIPES["reference"], encoder="resnet50", epochs=epochs)
    ours = replace(RECIPES["autoencoder"], encoder="resnet50")
    ours = replace(ours, epochs=min(epochs, ours.epochs))
    bare = Preparation(size, crop=False, aspect="stretch", intensity="range", upright=False)
    for place, (name, table) in enumerate(tables.items()):
        if place == 0 and as_published:
            drawn = replace(strict, epoch_size=len(table.select(split="train")))
            yield Run(f"as-published-{name}", table, drawn, bare, reshuffled=True)
        yield Run(f"reference-{name}", table, strict, bare)
        if shipped:
            yield Run(f"shipped-{name}", table, ours, Preparation(size))


def _result(run: Run, out: Path, weights: Path, seed: int, command: str | None) -> Result:
    """Return what an earlier call found of this very run, else run it."""
    done, asked = out / "result.json", _asked(run, weights, seed)
    if kept := _kept(done, asked):
        return kept
    screener, seconds = _fitted(run, out, weights, seed)
    result = _judged(run, screener, out, seconds, command)
    write_whole(done, json.dumps({"asked": asked, "row": asdict(result)}, indent=1) + "\n")
    return result


def _asked(run: Run, weights: Path, seed: int) -> dict[str, Any]:
    """Return all that the result depends on, as JSON values."""
    rows = "\n".join(sorted(f"{r.name}\t{r.label}\t{r.split}\t{r.group}" for r in run.table))
    with weights.open("rb") as opened:
        weights_hash = hashlib.file_digest(opened, "sha256").hexdigest()
    return {
        "recipe": run.recipe.to_dict(),
        "preparation": run.preparation.to_dict(),
        "seed": seed,
        "table": hashlib.sha256(rows.encode("utf-8", "backslashreplace")).hexdigest(),
        "weights": weights_hash,
    }


def _kept(done: Path, asked: dict[str, Any]) -> Result | None:
    """Return the result in this file, where it is one and answers what is asked."""
    try:
        kept = json.loads(done.read_text(encoding="utf-8"))
        return Result(**kept["row"]) if kept["asked"].items() <= asked.items() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _fitted(run: Run, out: Path, weights: Path, seed: int) -> tuple[Screener, float]:
    """Fit and save; the seconds are those of this call, without those before an interruption.

    Every scan is judged, as the published system does.
    """
    screener = Screener(Autoencoder(run.recipe, weights), run.preparation, fitness=False)
    started = time.perf_counter()
    screener.fit(
        run.table.select(label="normal") if run.reshuffled else run.table,
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


def _judged(run: Run, screener: Screener, out: Path, seconds: float, command: str | None) -> Result:
    study = study_of(run.table.select(split="test"), *run.notes)
    image = run_study(screener, study, out, title=f"Reference system: {run.name}", command=command).image
    tumours = run.table.select(split="tumor_test")
    found = progress(screener.score(tumours, heatmaps=False), total=len(tumours), label="scoring tumours")
    flagged = [finding.flagged for finding in found if finding.flagged is not None]
    return Result(
        name=run.name,
        auroc=None if math.isnan(image.auroc) else image.auroc,
        accuracy=image.confusion.accuracy,
        sensitivity=image.confusion.sensitivity,
        specificity=image.confusion.specificity,
        tumour_only=sum(flagged) / len(flagged) if flagged else None,
        tumour_only_scans=len(flagged),
        epochs=run.recipe.epochs,
        fit_seconds=round(seconds, 1),
        leaks=bool(run.notes),
    )


def _markdown(results: list[Result]) -> str:
    rows = [_cells(result) for result in (PUBLISHED, *results)]
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(result: Result) -> dict[str, str]:
    """Return the cells of a row under the names of their columns."""
    alone = f"{_figure(result.tumour_only)} of {result.tumour_only_scans}" if result.tumour_only_scans else ""
    return {
        "run": result.name,
        "AUROC": _figure(result.auroc),
        "accuracy": _figure(result.accuracy),
        "sensitivity": _figure(result.sensitivity),
        "specificity": _figure(result.specificity),
        "tumour-only flagged": alone,
        "epochs": str(result.epochs),
        "fit, minutes": "" if result.fit_seconds is None else f"{result.fit_seconds / 60:.1f}",
        "leaks": "LEAKS" if result.leaks else "no",
    }


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
