"""Near-copies: how many planted ones are found, how many are false, and what the search costs.

    python benchmarks/copies.py recall FOLDER... [--images 5000] [--each 200] [--seed 0] [--missed OUT.png]
    python benchmarks/copies.py false FOLDER
    python benchmarks/copies.py time FOLDER... --images 10000 [--seed 0]

`recall` plants copies of each kind beside real pictures, and counts those in the cluster of their original.
`false` counts joined pairs of different groups; the folders in FOLDER are the groups, as of patients.
`time` draws variants of the pictures until there are as many as asked, and tells time and peak memory.
What is made stands in a temporary folder, below the folder that TMPDIR names, and goes at the end.
"""

from __future__ import annotations

import argparse
import io
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageEnhance

from atypia.copies import Copies, find_copies
from atypia.copies.pose import posed
from atypia.errors import UnreadableScan
from atypia.reading.collection import Row, read_collections
from atypia.reading.picture import read_picture

Picture = PIL.Image.Image
Rng = np.random.Generator


def encoded(picture: Picture, rng: Rng) -> Picture:
    """Through JPEG at a quality of 40 to 95."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=int(rng.integers(40, 96)))
    return PIL.Image.open(file).convert("L")


def resized(picture: Picture, rng: Rng) -> Picture:
    """To half or twice the side, or between."""
    scale = 2 ** rng.uniform(-1, 1)
    size = (max(32, round(picture.width * scale)), max(32, round(picture.height * scale)))
    return picture.resize(size, PIL.Image.Resampling.BICUBIC)


def cropped(picture: Picture, rng: Rng) -> Picture:
    """By up to 5 % at each side, of its own."""
    left, top, right, bottom = rng.uniform(0, 0.05, 4)
    width, height = picture.size
    return picture.crop(
        (round(left * width), round(top * height), round((1 - right) * width), round((1 - bottom) * height))
    )


def brighter(picture: Picture, rng: Rng) -> Picture:
    """All values times 0.7 to 1.3, cut off at white."""
    return PIL.ImageEnhance.Brightness(picture).enhance(float(rng.uniform(0.7, 1.3)))


def contrasted(picture: Picture, rng: Rng) -> Picture:
    """Away from the mean, or towards it, by 0.7 to 1.4."""
    return PIL.ImageEnhance.Contrast(picture).enhance(float(rng.uniform(0.7, 1.4)))


def turned(picture: Picture, rng: Rng) -> Picture:
    """By quarter turns alone."""
    return PIL.Image.fromarray(np.ascontiguousarray(posed(np.asarray(picture), int(rng.integers(1, 4)))))


def mirrored(picture: Picture, rng: Rng) -> Picture:
    """Mirrored, and turned by quarters, perhaps by none."""
    return PIL.Image.fromarray(np.ascontiguousarray(posed(np.asarray(picture), int(rng.integers(4, 8)))))


def together(picture: Picture, rng: Rng) -> Picture:
    """Turned or mirrored, cropped, contrasted, resized to 0.7 to 1.4 of the side, then JPEG."""
    pose = int(rng.integers(0, 8))
    picture = PIL.Image.fromarray(np.ascontiguousarray(posed(np.asarray(picture), pose)))
    picture = contrasted(cropped(picture, rng), rng)
    scale = 2 ** rng.uniform(-0.5, 0.5)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    return encoded(picture, rng)


def unchanged(picture: Picture, rng: Rng) -> Picture:  # noqa: ARG001
    """The same pixels in another file."""
    return picture


KINDS: dict[str, Callable[[Picture, Rng], Picture]] = {
    "equal pixels": unchanged,
    "JPEG 40 to 95": encoded,
    "resized 0.5 to 2": resized,
    "cropped to 5 % a side": cropped,
    "brightness 0.7 to 1.3": brighter,
    "contrast 0.7 to 1.4": contrasted,
    "quarter turns": turned,
    "mirrored, turned": mirrored,
    "all together": together,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("recall", "false", "time"))
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--each", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--missed", type=Path, help="picture to write, with originals and copies not found")
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    rows = list(read_collections(asked.folders).rows)
    if asked.what == "false":
        tell_false(rows)
        return
    with tempfile.TemporaryDirectory() as made:
        if asked.what == "recall":
            chosen = [rows[place] for place in rng.permutation(len(rows))[: asked.images]]
            tell_recall(chosen, asked.each, rng, Path(made), asked.missed)
        else:
            tell_time(rows, asked.images, rng, Path(made))


def tell_recall(rows: list[Row], each: int, rng: Rng, folder: Path, missed: Path | None) -> None:
    """Print the share of planted copies that stand in the cluster of their original."""
    everything, planted = list(rows), []
    for kind, change in KINDS.items():
        for place in rng.permutation(len(rows))[:each].tolist():
            path = folder / f"{len(everything)}.png"
            change(opened(rows[place]), rng).save(path)
            planted.append((kind, place, len(everything)))
            everything.append(Row(path, path.name))
    copies, seconds = timed(everything)
    found = Counter(kind for kind, place, copy in planted if copies.clusters[place] == copies.clusters[copy])
    print(f"{len(rows)} pictures and {len(planted)} planted: {seconds:.0f} s, {told_size(copies)}")
    for kind in KINDS:
        print(f"{kind:24}{found[kind]:5} of {each}  {found[kind] / each:.3f}")
    if missed:
        lost = [(p, c) for _, p, c in planted if copies.clusters[p] != copies.clusters[c]]
        draw([(everything[place], everything[copy]) for place, copy in lost], missed)


def tell_false(rows: list[Row]) -> None:
    """Print how many pairs of different groups stand in one cluster."""
    copies, seconds = timed(rows)
    groups = [row.path.parent.name for row in rows]
    members = Counter(zip(copies.clusters, groups, strict=True))
    sizes = Counter(copies.clusters)
    sizes.pop(-1, None)
    pairs = sum(n * (n - 1) // 2 for n in sizes.values())
    within = sum(n * (n - 1) // 2 for (cluster, _), n in members.items() if cluster >= 0)
    possible = (len(rows) ** 2 - sum(n * n for n in Counter(groups).values())) // 2
    false = pairs - within
    print(f"{len(rows)} pictures of {len(set(groups))} groups: {seconds:.0f} s, {told_size(copies)}")
    print(f"joined pairs of different groups: {false} of {possible}, {1e4 * false / possible:.4f} in 10,000")
    print(f"pictures joined with others of their own group: {sum(n for n in members.values() if n > 1)}")


def tell_time(rows: list[Row], count: int, rng: Rng, folder: Path) -> None:
    """Print how long the search takes for so many pictures, and what memory it needs."""
    everything = rows[:count]
    changes = (together, cropped, mirrored, contrasted)
    while len(everything) < count:
        path = folder / f"{len(everything)}.jpg"
        place, change = int(rng.integers(len(rows))), changes[int(rng.integers(len(changes)))]
        change(opened(rows[place]), rng).save(path, quality=90)
        everything.append(Row(path, path.name))
    copies, seconds = timed(everything)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{count} pictures: {seconds:.0f} s, peak memory {peak:.2f} GiB, {told_size(copies)}")


def opened(row: Row) -> Picture:
    """Return a picture as 8-bit grey; a blank one where it cannot be read."""
    try:
        return PIL.Image.fromarray(np.clip(read_picture(row.path).pixels, 0, 255).astype(np.uint8))
    except UnreadableScan:
        return PIL.Image.new("L", (64, 64))


def timed(rows: list[Row]) -> tuple[Copies, float]:
    """Return the copies, and the seconds that the search took, by the clock."""
    started = time.perf_counter()
    copies = find_copies(rows)
    seconds = time.perf_counter() - started
    print(f"processor time of this process so far {time.process_time():.0f} s")
    return copies, seconds


def told_size(copies: Copies) -> str:
    """Return how many clusters there are, and how large the largest is."""
    sizes = Counter(cluster for cluster in copies.clusters if cluster >= 0)
    return f"{len(sizes)} clusters, the largest of {max(sizes.values())}"


def draw(pairs: list[tuple[Row, Row]], path: Path) -> None:
    """Write originals and copies side by side, six pairs in a row."""
    side = 120
    sheet = PIL.Image.new("L", (12 * side, max(1, -(-len(pairs) // 6)) * side))
    for index, pair in enumerate(pairs):
        for half, row in enumerate(pair):
            sheet.paste(
                opened(row).resize((side, side)),
                ((2 * (index % 6) + half) * side, index // 6 * side),
            )
    sheet.save(path)


if __name__ == "__main__":
    main()
