"""The report: one page that needs nothing else, its figures as files, and its numbers as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib import style

from atypia.atomic import write_whole
from atypia.evaluation.evaluation import Evaluation
from atypia.evaluation.leaks import WORD
from atypia.notice import RESEARCH_USE_ONLY, SYNTHETIC
from atypia.report.card import ReportCard
from atypia.report.figure_rows import (
    baseline_rows,
    group_rows,
    image_rows,
    lesion_rows,
    patient_rows,
    pixel_rows,
    promise_rows,
    strata_of,
)
from atypia.report.page import render, write_json
from atypia.report.pictures import PictureScale
from atypia.report.plate import Plate
from atypia.report.plates import (
    case_plates,
    place_plates,
    promise_plates,
    reconstruction_plates,
    training_plate,
    verdict_plates,
)
from atypia.report.summary import drawn, promise, summary, tiles, unfit

LISTED = 20
"""How many of the scans that could not be judged the page names; `metrics.json` counts all."""


def write_report(evaluation: Evaluation, out: Path, *, title: str, card: ReportCard) -> Path:
    """Write `report.html`, `metrics.json` and `figures/*.png` into `out` and return the page's path.

    The page holds its pictures, styles and words itself and runs no script. Each file appears whole or not
    at all, the page last. Raises OutputError where one cannot be written.
    """
    sections = _sections(evaluation, card)
    for plate in (plate for plates in sections.values() for plate in plates):
        write_whole(out / "figures" / f"{plate.name}.png", plate.png)
    write_json(out / "metrics.json", evaluation.to_dict(), indent=2)
    write_whole(out / "report.html", _page(evaluation, title, card, sections))
    return out / "report.html"


def _sections(evaluation: Evaluation, card: ReportCard) -> dict[str, list[Plate]]:
    """Draw all figures, by the section of the page, whatever the user's own settings of matplotlib are."""
    scale = PictureScale.over(evaluation.cases.all(), card.heat_scale, card.pixel_threshold)
    with style.context("default"):
        training = training_plate(card)
        return {
            "verdicts": verdict_plates(evaluation, card),
            "promises": promise_plates(evaluation),
            "places": place_plates(evaluation),
            "training": [training] if training else [],
            "reconstructions": reconstruction_plates(evaluation, scale),
            "cases": case_plates(evaluation, scale),
        }


def _page(evaluation: Evaluation, title: str, card: ReportCard, sections: dict[str, list[Plate]]) -> str:
    return render(
        "report.html.jinja",
        filters={"flat": _flat, "known": math.isfinite},
        title=title,
        card=card,
        evaluation=evaluation,
        sections=sections,
        notes=[note for note in (*card.notes, *evaluation.cautions) if note not in evaluation.leaks],
        leaks_word=WORD,
        summary=summary(evaluation.image),
        drawn=drawn(evaluation),
        promise=promise(evaluation),
        promise_rows=promise_rows(evaluation),
        unfit=unfit(evaluation),
        image_rows=image_rows(evaluation.image),
        baseline_rows=baseline_rows(evaluation),
        group_rows=group_rows(evaluation),
        patient_rows=patient_rows(evaluation),
        lesion_rows=lesion_rows(evaluation.pixel.lesions)
        if evaluation.pixel and evaluation.pixel.lesions
        else [],
        pixel_rows=pixel_rows(evaluation.pixel) if evaluation.pixel else [],
        strata=list(strata_of(evaluation)),
        tiles=tiles(evaluation.image),
        listed=LISTED,
        notices=[RESEARCH_USE_ONLY, *([SYNTHETIC] if card.synthetic else [])],
    )


def _flat(values: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Return nested values as rows of a name with dots and a text."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            rows += _flat(value, f"{name}.")
        elif isinstance(value, list | tuple):
            rows.append((name, ", ".join(map(str, value)) or "none"))
        else:
            rows.append(
                (
                    name,
                    "none" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value),
                )
            )
    return rows
