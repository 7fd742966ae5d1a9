"""Whether what came of a corpus is what was to come of it: a row for each scan, a score for each good one."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bad_corpus.corpus import EITHER, JUDGED, UNLISTED, UNREADABLE, Case

Found = dict[str, dict[str, str]]


def read_findings(out: Path) -> Found:
    """Return the rows of a table of findings by name, without the apostrophe that keeps off formulas."""
    with (out / "findings.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {_plain(row["name"]): row for row in rows}


def _plain(name: str) -> str:
    return name[1:] if name[:1] == "'" and name[1:2] in tuple("=+-@\t\r\n") else name


def name_of(case: Case) -> str:
    """Return how a case is called among the findings: bytes that are no text are spelt out."""
    return case.place.encode("utf-8", "backslashreplace").decode()


def wrong(cases: Iterable[Case], found: Found, aside: Sequence[str] = ()) -> Iterator[str]:
    """Yield what is not as it was to be; `aside` names what DICOM folders hold beside scans."""
    owners, rows = {name_of(case): case for case in cases}, defaultdict(list)
    for name in (*found, *aside):
        owner = next((one for one in _owners(name) if one in owners), None)
        if owner is None:
            yield f"{name!r}: a row of no case"
        else:
            rows[owner].append(name)
    for name, case in owners.items():
        verdicts = [found[one]["verdict"] for one in rows[name] if one in found]
        if not _fits(case, verdicts, told=bool(rows[name])):
            yield f"{name!r} ({case.fault}): was to be {case.told}, is {verdicts or 'no row'}"
    for name, row in found.items():
        if (row["verdict"] == "unreadable") != bool(row["error"]) or bool(row["score"]) == bool(row["error"]):
            yield f"{name!r}: expected a score or an error"
        if "Traceback" in row["error"]:
            yield f"{name!r}: a traceback"


def _owners(name: str) -> Iterator[str]:
    """Yield a name, then what it may be a slice, a series or a namesake of, the nearest first."""
    yield name
    yield name.removesuffix(" (2)")
    yield name.rpartition(":")[0]
    part = name
    while "/" in part:
        part = part.rpartition("/")[0]
        yield part


def _fits(case: Case, verdicts: list[str], *, told: bool) -> bool:
    unreadable = [verdict == "unreadable" for verdict in verdicts]
    return {
        JUDGED: bool(verdicts) and not any(unreadable),
        UNREADABLE: unreadable == [True],
        EITHER: told,
        UNLISTED: not told,
    }[case.told]
