"""A folder of bad files and good ones, and what is to come of each where the folder is judged."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

JUDGED = "judged"
"""It is a scan like any other, with the same scores as alone."""
UNREADABLE = "unreadable"
"""It costs one row, with its error."""
EITHER = "either"
"""Damage that may or may not reach the scan: one row, or an object that is told to be none."""
UNLISTED = "unlisted"
"""It is no scan by what it is called or where it lies: no row, and no harm."""


@dataclass(frozen=True)
class Case:
    """One file, or folder of one series: where it lies, its format, what is wrong with it, what comes of it.

    `part` is the folder below the corpus: `scans` are judged, the others are handed in each by itself.
    """

    part: str
    place: str
    format: str
    fault: str
    told: str


class Corpus:
    """Gathers cases while they are written below a folder; `heads` (12, S, S) are healthy slices.

    Without `bombs` those are left out that take seconds to make.
    """

    def __init__(self, root: Path, heads: Pixels, seed: int, *, bombs: bool = True) -> None:
        self.root, self.heads, self.seed, self.bombs = root, heads, seed, bombs
        self.cases: list[Case] = []

    @property
    def scans(self) -> Path:
        """The folder that is judged as a whole."""
        return self.root / "scans"

    def rng(self, *what: int) -> np.random.Generator:
        """A generator of its own for each purpose, so that one more case changes no other."""
        return np.random.default_rng((self.seed, *what))

    def add(
        self,
        place: str | bytes,
        content: bytes,
        form: str,
        fault: str,
        told: str = UNREADABLE,
        part: str = "scans",
    ) -> None:
        """Write a file; its place may hold bytes that are no text."""
        self.write_file(place, content, part)
        self.note(place, form, fault, told, part)

    def add_series(self, place: str, files: Mapping[str, bytes], form: str, fault: str, told: str) -> None:
        """Write files that are one scan together into a folder of their own."""
        for name, content in files.items():
            self.write_file(f"{place}/{name}", content)
        self.note(place, form, fault, told)

    def write_file(self, place: str | bytes, content: bytes, part: str = "scans") -> None:
        """Write a file that is no case by itself."""
        raw = os.path.join(os.fsencode(self.root / part), os.fsencode(place))  # noqa: PTH118
        _make_folders(os.path.dirname(raw))  # noqa: PTH120
        with open(raw, "wb") as file:  # noqa: PTH123
            file.write(content)

    def add_all(
        self,
        contents: Mapping[str, bytes],
        form: str,
        fault: str,
        told: str = UNREADABLE,
        part: str = "scans",
    ) -> None:
        """Write files of one format and fault, each below the folder of its format."""
        for name, content in contents.items():
            self.add(f"{form}/{name}", content, form, fault, told, part)

    def link(self, place: str, target: str | Path, form: str, fault: str, told: str) -> None:
        """Lay a symbolic link."""
        path = self.scans / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
        self.note(place, form, fault, told)

    def special(self, place: str, make: Callable[[Path], None], form: str, fault: str, told: str) -> None:
        """Make something that is no plain file."""
        path = self.scans / place
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)
        self.note(place, form, fault, told)

    def note(self, place: str | bytes, form: str, fault: str, told: str, part: str = "scans") -> None:
        """Tell of a case that was written."""
        self.cases.append(Case(part, os.fsdecode(place), form, fault, told))

    def of(self, *parts: str) -> list[Case]:
        """The cases of these parts."""
        return [case for case in self.cases if case.part in parts]

    def write(self) -> Path:
        """Write down the cases, one a line, and return where."""
        file = self.root / "corpus.jsonl"
        file.write_text("".join(json.dumps(asdict(case)) + "\n" for case in self.cases))
        return file


def read_cases(root: Path) -> list[Case]:
    """Read the cases of a corpus that was written."""
    return [Case(**json.loads(line)) for line in (root / "corpus.jsonl").read_text().splitlines()]


def _make_folders(folder: bytes) -> None:
    """Make a folder and those around it, however many: `os.makedirs` calls itself for each."""
    missing = []
    while not os.path.isdir(folder):  # noqa: PTH112
        missing.append(folder)
        folder = os.path.dirname(folder)  # noqa: PTH120
    for one in reversed(missing):
        os.mkdir(one)  # noqa: PTH102


def cut(content: bytes, places: Iterable[int], suffix: str) -> dict[str, bytes]:
    """Cut a file at each of these places, and one byte before and behind."""
    found = sorted({end for at in places for end in (at - 1, at, at + 1) if 0 <= end < len(content)})
    return {f"cut-{end}{suffix}": content[:end] for end in found}


def flipped(
    content: bytes, count: int, rng: np.random.Generator, suffix: str, within: int = 0
) -> dict[str, bytes]:
    """Flip one bit in each of so many copies, within the first bytes or anywhere."""
    made = {}
    for number, bit in enumerate(rng.integers(0, 8 * (within or len(content)), count).tolist()):
        copy = bytearray(content)
        copy[bit // 8] ^= 1 << bit % 8
        made[f"flip-{number}{suffix}"] = bytes(copy)
    return made
