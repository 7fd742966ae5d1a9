"""The audit as JSON: every figure of the page, and every place by the name that the table gives."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from atypia.audit.audit import Audit
from atypia.audit.shortcut import Shortcut
from atypia.audit.shortcuts import Comparison
from atypia.audit.strangers import Stranger
from atypia.audit.verdict import Verdict
from atypia.evaluation.plain import plain
from atypia.notice import RESEARCH_USE_ONLY

SCHEMA = 1


def document(audit: Audit, verdicts: tuple[Verdict, ...]) -> dict[str, Any]:
    """Return what `audit.json` holds, as JSON values; `audit.schema.json` says what each field means."""
    values = {
        "schema": SCHEMA,
        "atypia": version("atypia"),
        "notice": RESEARCH_USE_ONLY,
        "source": audit.source,
        "verdicts": [
            {"severity": v.severity.value, "part": v.part, "title": v.title, "text": v.text} for v in verdicts
        ],
        "counts": {
            "scans": len(audit.rows),
            "unreadable": len(audit.errors),
            "distinct": audit.distinct if audit.clusters_known else None,
            "normal": sum(row.label == "normal" for row in audit.rows),
            "abnormal": sum(row.label == "abnormal" for row in audit.rows),
        },
        "unreadable": [{"name": _name(audit, n), "error": error} for n, error in audit.errors.items()],
        "copies": _copies(audit) if audit.clusters_known else None,
        "leaks": _leaks(audit),
        "shortcuts": [_comparison(comparison) for comparison in audit.comparisons],
        "strangers": None if audit.strangers is None else [_stranger(audit, n) for n in audit.strangers],
        "notes": list(audit.notes),
        "seconds": {name: round(seconds, 3) for name, seconds in audit.seconds.items()},
    }
    return plain(values)  # type: ignore[no-any-return]


def _name(audit: Audit, place: int) -> str:
    return audit.rows[place].name


def _names(audit: Audit, places: tuple[int, ...]) -> list[str]:
    return [_name(audit, place) for place in places]


def _copies(audit: Audit) -> dict[str, Any]:
    return {
        "clusters": [
            {"cluster": int(audit.clusters[places[0]]), "names": _names(audit, places)}
            for places in audit.biggest
        ],
        "pairs": [
            {
                "first": _name(audit, pair.first),
                "second": _name(audit, pair.second),
                "kind": pair.kind,
                "transform": pair.transform,
                "similarity": pair.similarity,
            }
            for pair in audit.pairs
        ],
    }


def _leaks(audit: Audit) -> dict[str, Any]:
    leaks = audit.leaks
    return {
        "touched": {
            touched.split: {
                "scans": touched.scans,
                "by_copies": touched.by_copies,
                "by_group": touched.by_group,
                "either": touched.either,
                "fitted": touched.fitted,
                "where": list(touched.where),
                "normal": touched.normal,
                "normal_touched": touched.normal_touched,
                "share": touched.share,
            }
            for touched in leaks.touched
        },
        "crossings": [
            {
                "sort": crossing.sort,
                "key": crossing.key,
                "splits": list(crossing.splits),
                "into_held_out": crossing.into_held_out,
                "names": _names(audit, crossing.places),
            }
            for crossing in leaks.crossings
        ],
        "conflicts": [_names(audit, places) for places in leaks.conflicts],
        "mixed_groups": leaks.mixed_groups,
        "random_split_touched": leaks.random,
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "of": comparison.title.lower(),
        "first": comparison.first,
        "second": comparison.second,
        "refused": comparison.refused,
        "scalars": [_shortcut(found) for found in comparison.scalars],
        "models": [_shortcut(found) for found in comparison.models],
        "exact": [
            {"value": found.value, "first": found.first, "second": found.second} for found in comparison.exact
        ],
    }


def _shortcut(found: Shortcut) -> dict[str, Any]:
    return {
        "name": found.name,
        "group": found.group,
        "meaning": found.meaning,
        "auroc": found.auroc,
        "interval": found.interval,
        "higher": found.higher,
        "first": found.first,
        "second": found.second,
    }


def _stranger(audit: Audit, stranger: Stranger) -> dict[str, Any]:
    return {
        "name": _name(audit, stranger.index),
        "kind": stranger.kind,
        "reason": stranger.reason,
        "score": stranger.score,
    }
