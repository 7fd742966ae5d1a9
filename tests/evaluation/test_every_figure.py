"""No figure without an interval: in what an evaluation gives, and in the schema of what it may give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from atypia.evaluation.evaluation import evaluate
from atypia.reading.collection import read_collection
from atypia.screener import Screener

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {"alpha", "best_threshold", "threshold", "overlap"}


def measured(metrics: dict[str, Any], schema: dict[str, Any]) -> set[str]:
    """Return the figures of a part, as its schema tells them, and check those that are there."""
    figures = {name for name, kind in schema["properties"].items() if kind.get("$ref") == "#/$defs/share"}
    for name in figures - SETTINGS:
        low, high = metrics["intervals"][name]
        if metrics[name] is not None:
            assert low <= metrics[name] <= high, name
    return figures - SETTINGS


def test_every_figure_of_an_evaluation_has_an_interval(quick_file: Path, phantom_table: Path) -> None:
    scans = read_collection(phantom_table).select(split="test")
    screener = Screener.load(quick_file)
    assert screener.healthy_map_
    level = screener.healthy_map_.threshold
    found = screener.score(scans, heatmaps=True)
    metrics = evaluate(found, scans, pixel_threshold=level, resamples=100, baselines=False).to_dict()
    schema = json.loads((ROOT / "src/atypia/evaluation/metrics.schema.json").read_text(encoding="utf-8"))
    parts = {"image": metrics["image"], "pixel": metrics["pixel"], "lesions": metrics["pixel"]["lesions"]}
    for part, told in parts.items():
        kind = schema["$defs"][part]
        assert measured(told, kind) == set(kind["properties"]["intervals"]["properties"]), part
