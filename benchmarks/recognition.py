"""How well the plane and the sequence of slices are recognised.

    python benchmarks/recognition.py TABLE... --root DIR [--splits train threshold] [--sequence FLAIR]

Each table's column plane, or kind, says the truth about planes; --sequence says it of a whole table.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from atypia.reading.collection import read_collection
from atypia.recognition.describing import describe
from atypia.recognition.recognition import PLANES


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--root", type=Path)
    parser.add_argument("--splits", nargs="*", default=["train", "threshold"])
    parser.add_argument("--sequence")
    asked = parser.parse_args()
    for table in asked.tables:
        collection = read_collection(table, root=asked.root)
        for split in asked.splits:
            described = describe(collection.select(split=split, label="normal").rows)
            truths = {one.row.plane or one.row.kind for one in described}
            for truth in sorted(filter(None, truths)):
                own = [one for one in described if (one.row.plane or one.row.kind) == truth]
                said = Counter(one.recognised.sure_plane or "unsure" for one in own if one.recognised)
                counts = ", ".join(f"{name} {said[name]}" for name in (*PLANES, "unsure"))
                print(f"{table.stem} {split} {truth}: {counts}")
            guesses = Counter(one.recognised.sequence for one in described if one.recognised)
            right = (
                f", right {guesses[asked.sequence] / max(len(described), 1):.2f}" if asked.sequence else ""
            )
            print(f"{table.stem} {split} sequences: {dict(guesses)}{right}")


if __name__ == "__main__":
    main()
