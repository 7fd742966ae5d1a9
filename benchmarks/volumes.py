"""Volumes end to end: a detector that saw the healthy slices of other subjects, judged voxel by voxel.

    python benchmarks/volumes.py FOLDER --scan NAME --mask NAME [--detector NAME | --model FILE]

FOLDER has a folder for each subject, with a volume and a volume of labels on its grid under the same names.
Each subject in turn is judged by a Screener that was fitted on the slices of all others in which the mask is
empty; every fourth of five neighbours sets the thresholds and the rest are learned from. Slices are chosen
as `atypia score` chooses them, and all are judged, also those unlike the learned ones. With --model a
Screener that was fitted on other patients judges all subjects; `synthetic` is the one that ships. Beside the
heat map stands the plainest of baselines: the brightness of the volume itself, smoothed in the slice (sigma 2
pixels).

Figures are over the voxels of the head in the slices judged: the area under the ROC curve, the average
precision, Dice where the 99th percentile of the healthy slices kept aside is the threshold, and Dice at the
best threshold, which knows the answer. Nothing is chosen by these figures.

Beside them stands what `atypia score --results nifti` takes for the volume, from the file to the tables, map
and mask on disk, start of the program left out, and which share of it passed while the detector was idle.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.metrics import average_precision_score, roc_auc_score

from atypia.detectors import DETECTORS, Batch, Scores
from atypia.pretrained import NAMES, pretrained_path
from atypia.reading.collection import Collection, Row, read_collection
from atypia.reading.cutting import WHOLE
from atypia.reading.rows import read_row
from atypia.reading.volumes import list_slices, open_mask_volume, open_volume
from atypia.screener import Screener
from atypia.screening import score_to_folder

Floats = NDArray[np.float64] | NDArray[np.float32]
Found = tuple[str, Floats, float]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scan", required=True)
    parser.add_argument("--mask", required=True)
    parser.add_argument("--detector", default="atlas")
    parser.add_argument("--model", help="a fitted Screener to judge with, a file or synthetic")
    options = parser.parse_args()
    model = None if options.model is None else _saved(options.model)
    subjects = {
        path.parent.name: list_slices(
            Row(
                path,
                path.parent.name,
                label="abnormal",
                group=path.parent.name,
                mask=path.parent / options.mask,
            )
        )
        for path in sorted(options.folder.glob(f"*/{options.scan}"))
    }
    print("| subject | map | AUROC | AP | Dice at healthy 99 % | best Dice |")
    print("| --- | --- | --- | --- | --- | --- |")
    told = []
    for subject, rows in subjects.items():
        healthy = [row for name, others in subjects.items() if name != subject for row in others]
        told.append(
            _judge(
                subject, rows, [row for row in healthy if row.label == "normal"], model or options.detector
            )
        )
    print("\n".join(["", *told]))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def _saved(name: str) -> Screener:
    return Screener.load(pretrained_path(name) if name in NAMES else Path(name))


def _judge(subject: str, rows: Sequence[Row], healthy: Sequence[Row], by: str | Screener) -> str:
    aside = [row for place, row in enumerate(healthy) if place % 20 >= 15]
    learned = [row for place, row in enumerate(healthy) if place % 20 < 15]
    begun = time.perf_counter()
    if isinstance(by, Screener):
        screener, detector, learned = by, by.detector.name, []
        rows = [replace(row, strip=by.strip_) for row in rows]
    else:
        screener, detector = Screener(DETECTORS[by](), rule="quantile", parameter=0.95), by
        screener.fit(_collection(learned), calibration=_collection(aside))
    fitted = time.perf_counter()
    seconds, outside = _end_to_end(screener, rows[0].path)
    heat, shown = _volume_map(screener, rows)
    volume = open_volume(rows[0].path)
    truth = open_mask_volume(next(row.mask for row in rows if row.mask)).pixels[shown] > 0
    smooth = volume.empty()
    for row in rows:
        volume.place(smooth, row.plane or "", row.slice or 0, _smooth(replace(row, strip=WHOLE)))
    usual = [finding.heatmap for finding in screener.score(aside, judge_all=True)]
    limits = (
        np.percentile(
            np.concatenate([m[_head(row)] for m, row in zip(usual, aside, strict=True) if m is not None]), 99
        ),
        np.percentile(np.concatenate([_smooth(row)[_head(row)] for row in aside]), 99),
    )
    for name, values, limit in (
        (detector, heat[shown], limits[0]),
        ("smoothed brightness", smooth[shown], limits[1]),
    ):
        _tell(subject, (name, values, float(limit)), truth)
    return (
        f"{subject}: learned from {len(learned)} slices in {fitted - begun:.1f} s, {len(rows)} slices of "
        f"{'x'.join(map(str, volume.pixels.shape))} voxels judged and written in {seconds:.1f} s, "
        f"{100 * outside:.0f} % of it outside the detector, "
        f"{100 * truth.mean():.2f} % of {truth.size:,} voxels abnormal"
    )


def _end_to_end(screener: Screener, file: Path) -> tuple[float, float]:
    """Return the seconds that a volume takes, and the share of them outside `detector.score`."""
    inside, score = [0.0], screener.detector.score

    def timed(batch: Batch) -> Scores:
        begun = time.perf_counter()
        scores = score(batch)
        inside[0] += time.perf_counter() - begun
        return scores

    # Another file of the same content, so that nothing of it is in memory.
    with tempfile.TemporaryDirectory() as folder, patch.object(screener.detector, "score", timed):
        copy = Path(shutil.copy(file, folder))
        begun = time.perf_counter()
        scans = read_collection(copy, cutting=screener.cutting)
        score_to_folder(screener, scans, Path(folder, "out"), judge_all=True, results=["nifti"])
        seconds = time.perf_counter() - begun
    return seconds, 1 - inside[0] / seconds


def _collection(rows: Sequence[Row]) -> Collection:
    return Collection(tuple(replace(row, mask=None) for row in rows), "healthy slices")


def _volume_map(screener: Screener, rows: Sequence[Row]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    volume = open_volume(rows[0].path)
    heat, shown = volume.empty(), volume.empty()
    for row, finding in zip(rows, screener.score(rows, judge_all=True), strict=True):
        if finding.heatmap is not None:
            volume.place(heat, row.plane or "", row.slice or 0, finding.heatmap)
            head = _head(replace(row, strip=WHOLE))
            volume.place(shown, row.plane or "", row.slice or 0, head.astype(np.float32))
    return heat, shown > 0


def _head(row: Row) -> NDArray[np.bool_]:
    """What is not background: for volumes without their skull, whose background has one value."""
    volume = open_volume(row.path)
    return read_row(row).pixels != volume.pixels[0, 0, 0]


def _smooth(row: Row) -> NDArray[np.float32]:
    return np.asarray(gaussian_filter(read_row(row).pixels, 2.0), np.float32)


def _tell(subject: str, found: Found, truth: NDArray[np.bool_]) -> None:
    name, values, limit = found
    order = np.argsort(-values)
    hits = np.cumsum(truth[order])
    best = float((2 * hits / (np.arange(1, truth.size + 1) + truth.sum())).max())
    marked = values > limit
    dice = 2 * np.count_nonzero(marked & truth) / (np.count_nonzero(marked) + np.count_nonzero(truth))
    print(
        f"| {subject} | {name} | {roc_auc_score(truth, values):.3f} "
        f"| {average_precision_score(truth, values):.3f} | {dice:.3f} | {best:.3f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
