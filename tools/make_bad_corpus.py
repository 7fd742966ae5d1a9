"""Make a folder of bad files of every kind, and of good ones among them, from the phantom.

    python tools/make_bad_corpus.py FOLDER [--seed 0] [--without-bombs]
    atypia score --pretrained synthetic FOLDER/scans -o OUT

`FOLDER/scans` is to be judged as a whole; `tables`, `screeners` and `archives` hold what is handed in each by
itself. `FOLDER/corpus.jsonl` has a line for each case: its part, place, format, fault, and what is to come of
it: `judged`, `unreadable`, `either` or `unlisted`. Told are the counts. benchmarks/bad_input.py judges it all
and checks what came.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from bad_corpus import dicom, listed, pictures, places, volumes
from bad_corpus.corpus import Corpus, Pixels

from atypia.datasets.phantom import phantom_image
from atypia.pretrained import pretrained_path

HEADS = 12


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without-bombs", action="store_true", help="leave out what takes seconds to make")
    asked = parser.parse_args()
    if asked.folder.exists() and any(asked.folder.iterdir()):
        parser.error(f"{asked.folder}: expected a new or empty folder")
    made = make_corpus(asked.folder, bombs=not asked.without_bombs, seed=asked.seed)
    for title, counts in (
        ("format", Counter(case.format for case in made.cases)),
        ("fault", Counter(case.fault for case in made.cases)),
        ("part", Counter(case.part for case in made.cases)),
    ):
        print(f"by {title}: " + ", ".join(f"{name} {count}" for name, count in counts.most_common()))
    print(f"{len(made.cases)} cases, listed in {made.write()}")


def make_corpus(folder: Path, heads: Pixels | None = None, *, bombs: bool = True, seed: int = 0) -> Corpus:
    """Write the corpus below a folder and return its cases; `heads` (12, S, S) are healthy slices."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Corpus(folder, phantom_heads() if heads is None else heads, seed, bombs=bombs)
    for kind in (pictures, volumes, dicom, places):
        kind.make(made)
    listed.make(made, pretrained_path("synthetic").read_bytes())
    made.write()
    return made


def phantom_heads() -> Pixels:
    """Return slices of the phantom at half of their size, which is enough and quicker."""
    return np.stack([halved(phantom_image(seed).pixels) for seed in range(HEADS)])


def halved(pixels: Pixels) -> Pixels:
    """Return a slice (2S, 2S) at half of its size, as bytes."""
    side = len(pixels) // 2
    mean = np.asarray(pixels, np.float32).reshape(side, 2, side, 2).mean(axis=(1, 3))
    return np.uint8(np.rint(255 * mean / max(1.0, float(mean.max()))))


if __name__ == "__main__":
    main()
