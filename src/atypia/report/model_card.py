"""The model card: what a Screener is, what it promises, what was measured of it, and where it is weak.

After Mitchell et al. (2019), "Model Cards for Model Reporting", FAccT. Nothing is asked of anybody: all is
filled from the artefact and from the evaluations and audits that were recorded in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atypia.notice import RESEARCH_USE_ONLY
from atypia.reading.cutting import WHOLE
from atypia.screener import Screener
from atypia.threshold.guarantee import guarantee

KEPT = 10
FEW_ABNORMAL = 50
EVALUATIONS, AUDIT, CHOICE = "evaluations", "audit", "choice"


@dataclass(frozen=True)
class CardPart:
    """One part of the card: sentences, and rows of a name and a value, all ready to be read."""

    title: str
    sentences: tuple[str, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()


def record_evaluation(screener: Screener, metrics: Mapping[str, Any]) -> None:
    """Note in a Screener what an evaluation found, out of its `metrics.json`; the last ten are kept.

    One of the same scans at the same threshold takes the place of the one before.
    """
    image, pixel = metrics["image"], metrics.get("pixel") or {}
    best = (metrics.get("baselines") or {}).get("best")
    noted = {
        "source": Path(str(metrics["provenance"]["source"])).name,
        "atypia": metrics["atypia"],
        "leaks": metrics["leaks"],
        "cautions": list(metrics.get("cautions", ())),
        "counts": image["counts"],
        "threshold": image["threshold"],
        "image": {name: image[name] for name in _IMAGE},
        "intervals": {name: image["intervals"].get(name) for name in _IMAGE},
        "pixel": {name: pixel.get(name) for name in _PIXEL} if pixel else None,
        "pixel_intervals": {name: pixel["intervals"].get(name) for name in _PIXEL} if pixel else None,
        "baseline": None if best is None else {"name": best, **metrics["baselines"]["of"][best]},
        "groups": metrics["resampling"]["groups"],
        "p_values_kept": (metrics.get("p_values") or {}).get("kept"),
    }
    same = ("source", "counts", "threshold")
    others = [
        entry for entry in screener.records.get(EVALUATIONS, ()) if any(entry[k] != noted[k] for k in same)
    ]
    screener.records[EVALUATIONS] = [*others, noted][-KEPT:]


def record_audit(screener: Screener, audit: Mapping[str, Any]) -> None:
    """Note in a Screener what the audit of its data found, out of `audit.json`."""
    screener.records[AUDIT] = {
        "source": Path(str(audit["source"])).name,
        "scans": audit["counts"]["scans"],
        "verdicts": [
            {"severity": str(entry["severity"]), "text": f"{entry['title']}. {entry['text']}"}
            for entry in audit["verdicts"]
        ],
    }


_IMAGE = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "sensitivity": "sensitivity at the threshold",
    "specificity": "specificity at the threshold",
    "false_alarm_rate": "realised false-alarm rate",
    "sensitivity_at_5": "sensitivity at 5 % false alarms",
}
_PIXEL = {
    "auroc": "pixel AUROC",
    "average_precision": "pixel average precision",
    "dice": "Dice at the threshold from healthy scans",
    "aupro": "AUPRO to 0.3",
}


def model_card(screener: Screener) -> tuple[CardPart, ...]:
    """Return the card of a fitted Screener, part by part; raise BadOption before a fit."""
    card = screener.card()
    return (
        CardPart("What it is", rows=tuple(_identity(screener, card))),
        CardPart(
            "What it is for",
            (
                "Finding slices of the brain that depart from the healthy ones it learned from, and showing "
                "where, for research on scans like those.",
                RESEARCH_USE_ONLY,
                "Not for a decision about a patient, nor for scans of another kind than it has seen.",
            ),
        ),
        CardPart("What it learned from", (*_audited(screener), *_chosen(screener)), tuple(_learned(card))),
        CardPart("How it decides", (guarantee(_threshold(screener)),), tuple(_decides(screener, card))),
        *_measured(screener.records.get(EVALUATIONS, ())),
        CardPart("Known limits", tuple(_limits(screener, card))),
    )


def to_markdown(parts: Sequence[CardPart], title: str = "Model card") -> str:
    """Return the card as text, in Markdown.

    >>> print(to_markdown([CardPart("Part", ("Said.",), (("name", "value"),))]))
    # Model card
    <BLANKLINE>
    ## Part
    <BLANKLINE>
    Said.
    <BLANKLINE>
    | | |
    | --- | --- |
    | name | value |
    """
    blocks = [f"# {title}"]
    for part in parts:
        blocks.append(f"## {part.title}")
        if len(part.sentences) > 1:
            blocks.append("\n".join(f"- {sentence}" for sentence in part.sentences))
        else:
            blocks += part.sentences
        if part.rows:
            lines = ["| | |", "| --- | --- |", *(f"| {_cell(a)} | {_cell(b)} |" for a, b in part.rows)]
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _threshold(screener: Screener) -> Any:
    assert screener.threshold_ is not None  # `card` has raised already where it is
    return screener.threshold_


def _identity(screener: Screener, card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    origin = card["provenance"]
    yield "detector", screener.detector.name
    if card["encoder"]:
        steps = card["detector"].get("adapt")
        trained = f" in {steps} steps to the healthy scans, without labels" if steps else ", frozen"
        yield "encoder", f"{card['encoder']['name']}{trained}, up to {', '.join(card['encoder']['cut'])}"
    preparation = card["preparation"]
    cropped = "cropped to the head" if preparation["crop"] else "the whole picture"
    yield "sees", f"{cropped}, {preparation['size']}x{preparation['size']} pixels"
    when = [origin["fitted"]] if origin.get("fitted") else []
    yield "fitted", ", ".join([*when, f"by Atypia {origin.get('atypia', 'unknown')}"])
    yield "seed", str(origin.get("seed", "unknown"))
    if made := origin.get("optimised"):
        yield "optimised", _optimised(made)


def _optimised(made: Mapping[str, Any]) -> str:
    agreed = "unknown" if made["spearman"] is None else f"{made['spearman']:.4f}"
    told = (
        f"{made['precision']} by {made['runtime']}; rank correlation with the original's scores {agreed} on "
        f"{made['healthy_scans']} healthy scans"
    )
    if made["recalibrated"]:
        told += ", from which the threshold was learned anew"
    if effect := made.get("effect"):
        low, high = effect["interval"]
        told += f"; AUROC changed by {effect['change']:+.4f} ({low:+.4f} to {high:+.4f})"
    return told


def _learned(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    origin = card["provenance"]
    yield "healthy scans learned from", str(origin.get("train_scans", "unknown"))
    yield "other healthy scans for the threshold", str(origin.get("calibration_scans", "unknown"))
    yield "could not be read", str(origin.get("unreadable_scans", "unknown"))
    yield "patients, or groups that a table names, known", "yes" if origin.get("grouped") else "no"
    yield "labels of abnormal scans used", "none"


def _audited(screener: Screener) -> Iterator[str]:
    audit = screener.records.get(AUDIT)
    if audit is None:
        yield "No audit of these scans is recorded."
        return
    yield f"Audited: {audit['scans']} scans of {audit['source']}."
    for entry in audit["verdicts"]:
        yield f"{entry['severity']}: {entry['text']}"


def _chosen(screener: Screener) -> Iterator[str]:
    choice = screener.records.get(CHOICE)
    if choice is not None:
        yield (
            f"Chosen among {choice['candidates']} candidates on other healthy scans, without labels, by the "
            f"{choice['by']}."
        )


def _decides(screener: Screener, card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    threshold = _threshold(screener)
    yield "rule", f"{threshold.rule}, {threshold.parameter:g}"
    yield "threshold of the score", f"{threshold.value:.6g}"
    for name, part in threshold.parts.items():
        yield f"threshold of {name}", f"{part.value:.6g}"
    yield "healthy calibration scans", str(len(threshold.calibration))
    yield "groups among them", str(threshold.calibration.group_count)
    if screener.position_scale_ is not None:
        yield (
            "slices of volumes",
            "compared with healthy slices of their position; scores in their deviations",
        )
    if screener.planes_:
        yield "volumes are cut", f"in the plane {' and '.join(screener.planes_)}"
    if screener.strip_ != WHOLE:
        yield "skull", f"taken off volumes first, by {screener.strip_}"
    if card.get("fitness"):
        yield "scans that are unlike those learned from", "get the verdict unfit instead of a guess"


def _measured(evaluations: Sequence[Mapping[str, Any]]) -> Iterator[CardPart]:
    for entry in evaluations:
        counts = entry["counts"]
        leaks = "LEAKS: " if entry["leaks"] else ""
        title = f"{leaks}Measured on {entry['source']}"
        said = [
            f"{counts['normal']} normal and {counts['abnormal']} abnormal scans in {entry['groups']} groups; "
            f"{counts['unfit']} unfit, {counts['unreadable']} unreadable. Intervals are 95 %."
        ]
        said += entry["cautions"]
        if entry["baseline"] is not None:
            said.append(_against(entry["baseline"]))
        if entry["p_values_kept"] is False:
            said.append("Healthy test scans do not keep what the calibration promised.")
        rows = list(_figures(_IMAGE, entry["image"], entry["intervals"]))
        if entry["pixel"]:
            rows += _figures(_PIXEL, entry["pixel"], entry["pixel_intervals"])
        yield CardPart(title, tuple(said), tuple((name, f"{leaks}{value}") for name, value in rows))
    if not evaluations:
        yield CardPart("Measured", ("Nothing is recorded. Measure it with 'atypia evaluate --record'.",))


def _against(baseline: Mapping[str, Any]) -> str:
    name, area = str(baseline["name"]).replace("_", " "), baseline["auroc"]
    beaten = "is beaten" if baseline["beaten"] else "is NOT beaten"
    return f"The best trivial score, {name} (AUROC {area:.3f}), {beaten}."


def _figures(
    names: Mapping[str, str], values: Mapping[str, Any], intervals: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    for key, name in names.items():
        value, ends = values.get(key), intervals.get(key)
        if value is None or not math.isfinite(value):
            continue
        if ends is None or None in ends:
            yield name, f"{value:.3f}"
        else:
            yield name, f"{value:.3f} ({ends[0]:.3f} to {ends[1]:.3f})"


def _limits(screener: Screener, card: Mapping[str, Any]) -> Iterator[str]:
    """Yield what follows from the facts, and nothing else."""
    origin, evaluations = card["provenance"], screener.records.get(EVALUATIONS, ())
    yield (
        "It knows what it has seen as healthy. Whatever is rare there is called abnormal: other scanners, "
        "sequences, ages, or anatomy."
    )
    yield "A lesion that changes little of what the detector looks at, as a small or faint one, passes."
    if not origin.get("grouped"):
        yield "No groups were known: slices of one patient may be among both the learned and the calibration."
    threshold = _threshold(screener)
    if threshold.rule != "conformal":
        yield "The share of healthy scans that it flags is not guaranteed."
    if not card.get("fitness"):
        yield "It does not check that a scan is fit to be judged: CT or a photograph gets a score as well."
    if (origin.get("optimised") or {}).get("precision") == "int8":
        yield "Its 8-bit networks may score a little otherwise on a processor of another kind."
    if not evaluations:
        yield "How well it finds anything was never measured, as far as is recorded."
    elif min(entry["counts"]["abnormal"] for entry in evaluations) < FEW_ABNORMAL:
        yield f"It was measured on fewer than {FEW_ABNORMAL} abnormal scans somewhere: mind the intervals."
    if any(entry["leaks"] for entry in evaluations):
        yield "Figures marked LEAKS are of scans that were learned from, or whose groups were."
    if any(entry["baseline"] and not entry["baseline"]["beaten"] for entry in evaluations):
        yield "On some scans it does not beat a number that looks at no anatomy."
