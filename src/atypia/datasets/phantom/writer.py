"""A set of phantoms on disk: pictures, masks, a table and a note on where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from atypia.datasets.phantom.contrast import SEQUENCES
from atypia.datasets.phantom.image import phantom_image
from atypia.datasets.phantom.template import TEMPLATE_NOTICE, template_paths
from atypia.errors import BadOption, OutputError
from atypia.progress import progress
from atypia.reading.collection import Collection, Row, read_collection, write_collection

_SEEDS_PER_SET = 1_000_000  # two sets of different seeds never share an image
_FIRST_ABNORMAL = 500_000
_TRAIN_SHARE, _THRESHOLD_SHARE = 0.6, 0.2

_README = """\
Synthetic data: no patient was scanned for these images, and none is shown in them.
Research use only. Not a medical device. Figures measured on them say that the software works,
never how well it would do on real scans.

{healthy} healthy and {abnormal} abnormal axial slices ({sequences}), 224 x 224 pixels of about 1 mm,
written by Atypia with seed {seed}. table.csv lists them; masks/ marks tumour and oedema in white.
Image i (from 0) is phantom_image({first} + i) if healthy, phantom_image({first_abnormal} + i, abnormal=True)
if not; its sequence is number i of those above, counted round and round.

They are rendered from the MNI152 template that the Python package nilearn ships:

{notice}
"""


@dataclass(frozen=True)
class _Task:
    """One image to render, and where to write it."""

    seed: int
    sequence: str
    picture: Path
    mask: Path | None


def write_phantom(
    out: Path,
    *,
    healthy: int = 200,
    abnormal: int = 60,
    seed: int = 0,
    sequences: tuple[str, ...] = SEQUENCES,
    jobs: int = 1,
) -> Collection:
    """Write a set of phantoms into a folder and return it as its `table.csv` lists it.

    The folder gets `healthy/NNNN.png`, `abnormal/NNNN.png`, `masks/NNNN.png` (1 bit), `table.csv` and
    `README.txt`. Healthy images go to the splits train, threshold and test (60, 20 and 20 %, in an order
    drawn from the seed), abnormal ones to test; each image is a group of its own. `jobs` processes share
    the work; what they write does not depend on their number.

    Raises MissingExtra without nilearn, BadOption for numbers or sequences that make no sense or a folder
    that holds other phantoms, and OutputError where a file cannot be written.
    """
    _check(healthy, abnormal, seed, sequences, jobs)
    template_paths()  # told before anything is written, and not from within another process
    tasks = _tasks(out, healthy, abnormal, seed, sequences)
    try:
        _make_folders(out, tasks)
        kinds = list(progress(_render(tasks, jobs), total=len(tasks), label="phantom", unit="image"))
        _write_readme(out, healthy, abnormal, seed, sequences)
    except OSError as error:
        raise OutputError(f"{out}: could not write the phantom there: {error.strerror or error}.") from error
    rows = _rows(out, tasks, kinds, _splits(healthy, seed), seed)
    table = out / "table.csv"
    write_collection(Collection(rows, str(table)), table)
    return read_collection(table)


def _check(healthy: int, abnormal: int, seed: int, sequences: tuple[str, ...], jobs: int) -> None:
    if not (0 <= healthy <= _FIRST_ABNORMAL and 0 <= abnormal <= _FIRST_ABNORMAL and healthy + abnormal > 0):
        raise BadOption(
            f"expected 0 to {_FIRST_ABNORMAL} healthy and abnormal images and at least one in all, "
            f"received {healthy} and {abnormal}."
        )
    if seed < 0 or jobs < 1:
        raise BadOption(f"expected a seed of 0 or more and at least 1 job, received {seed} and {jobs}.")
    if not sequences or not set(sequences) <= set(SEQUENCES):
        raise BadOption(f"sequences: expected some of {', '.join(SEQUENCES)}, received {sequences!r}.")


def _tasks(out: Path, healthy: int, abnormal: int, seed: int, sequences: tuple[str, ...]) -> list[_Task]:
    first = seed * _SEEDS_PER_SET

    def task(index: int, folder: str) -> _Task:
        name = f"{index:04d}.png"
        sick = folder == "abnormal"
        return _Task(
            seed=first + index + (_FIRST_ABNORMAL if sick else 0),
            sequence=sequences[index % len(sequences)],
            picture=out / folder / name,
            mask=out / "masks" / name if sick else None,
        )

    return [task(i, "healthy") for i in range(healthy)] + [task(i, "abnormal") for i in range(abnormal)]


def _make_folders(out: Path, tasks: list[_Task]) -> None:
    """Make the folders; refuse those with pictures of another set, which the table would not list."""
    ours = {path for task in tasks for path in (task.picture, task.mask)}
    for name in ("healthy", "abnormal", "masks"):
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        strangers = sorted(set(folder.iterdir()) - ours)
        if strangers:
            raise BadOption(
                f"{folder}: expected an empty folder, or this very phantom, "
                f"received {strangers[0].name} too. Choose another folder."
            )


def _render(tasks: list[_Task], jobs: int) -> Iterator[str]:
    """Render and write all images; yield the kind of each, in order."""
    if jobs == 1:
        yield from map(_render_one, tasks)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_render_one, tasks, chunksize=8)


def _render_one(task: _Task) -> str:
    phantom = phantom_image(task.seed, abnormal=task.mask is not None, sequence=task.sequence)
    Picture.fromarray(phantom.pixels).save(task.picture)
    if task.mask is not None:
        Picture.fromarray(phantom.mask).save(task.mask)
    return phantom.kind


def _splits(healthy: int, seed: int) -> list[str]:
    """Assign the healthy images to splits."""
    train, threshold = round(_TRAIN_SHARE * healthy), round(_THRESHOLD_SHARE * healthy)
    ordered = ["train"] * train + ["threshold"] * threshold + ["test"] * (healthy - train - threshold)
    return [ordered[place] for place in np.random.default_rng(seed).permutation(healthy)]


def _rows(out: Path, tasks: list[_Task], kinds: list[str], splits: list[str], seed: int) -> tuple[Row, ...]:
    """List the images; the abnormal ones follow the healthy ones, and all are for testing."""
    padded = splits + ["test"] * (len(tasks) - len(splits))
    return tuple(
        Row(
            path=task.picture,
            name=task.picture.relative_to(out).as_posix(),
            label="normal" if task.mask is None else "abnormal",
            split=split,
            group=f"phantom-{seed}-{task.picture.parent.name}-{task.picture.stem}",
            kind=kind,
            mask=task.mask,
        )
        for task, kind, split in zip(tasks, kinds, padded, strict=True)
    )


def _write_readme(out: Path, healthy: int, abnormal: int, seed: int, sequences: tuple[str, ...]) -> None:
    first = seed * _SEEDS_PER_SET
    text = _README.format(
        healthy=healthy,
        abnormal=abnormal,
        sequences=", ".join(sequences),
        seed=seed,
        first=first,
        first_abnormal=first + _FIRST_ABNORMAL,
        notice=TEMPLATE_NOTICE,
    )
    (out / "README.txt").write_text(text, encoding="utf-8")
