"""Patients against slices, with and without regard to where in the head a slice lies.

    python benchmarks/patients.py TABLE --root DATA -o OUT [--detectors NAME[:SETTING=VALUE,...]...]
    python benchmarks/patients.py TABLE --root DATA -o OUT --healthy-table healthy.csv

TABLE lists pictures NAME_NUMBER.png in a folder for each patient, with masks NAME_NUMBER_mask.png beside
them, and says in which split a patient is; DATA is where its paths start. All slices of a patient, in the
order of their numbers, become a NIfTI volume below OUT, and their masks another. A detector learns from the
slices without tumour of two thirds of the patients of the splits train and threshold; those of every third
set the thresholds. Patients of the split test are judged once.

The second only makes the volumes, and a table of their healthy slices to fit on, relative to OUT/volumes.

Every patient here has a tumour. So what stands for a healthy patient is the volume without the slices in
which the mask is not empty, at calibration as at test; beside it stands the whole volume of the same
patient. Volumes are scored as `atypia score` scores them: by the mean of the three highest slices. A whole
volume has more slices than the part of it without tumour, so that chance alone favours it: the last column
has as many slices on both sides, those with tumour and others drawn at random.

Intervals are 95 %, by 2000 resamples over patients for slices and 500 for volumes. What is chosen is chosen
on the healthy slices kept aside: the table of bandwidths is the mean log-likelihood of their scores, each
patient left out once.
"""

from __future__ import annotations

import argparse
import csv
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from atypia.cli.settings import detector_settings
from atypia.detectors.making import make_detector
from atypia.reading.collection import Collection, Row, read_collection
from atypia.reading.cutting import STRIPPING, WHOLE
from atypia.reading.head_extent import position
from atypia.reading.picture import read_mask, read_picture
from atypia.reading.volumes import list_slices, open_volume
from atypia.screener import Screener, position_profile
from atypia.screener.position_profile import PositionProfile
from atypia.threshold import volume_score
from atypia.threshold.healthy import HealthyScores

ALPHA = 0.1
RESAMPLES = 2000
# Sizes are not told with these slices: a field of view of 240 mm, and a stack of 150 mm.
FIELD, HEIGHT = 240.0, 150.0
BANDWIDTHS = (0.03, 0.06, 0.1, 0.15, 0.25, 1.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Slices:
    """Slices of some patients: scores, positions, patients and whether there is tumour in them, all (N,)."""

    scores: Floats
    positions: Floats
    patients: NDArray[np.str_]
    tumour: NDArray[np.bool_]

    def where(self, chosen: NDArray[np.bool_]) -> Slices:
        return Slices(self.scores[chosen], self.positions[chosen], self.patients[chosen], self.tumour[chosen])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--detectors", nargs="+", default=["atlas", "lesion-simulation:steps=600"])
    parser.add_argument("--strip", choices=STRIPPING, default=WHOLE, help="as of atypia fit")
    parser.add_argument("--healthy-only", action="store_true", help="judge no patient of the split test")
    parser.add_argument("--healthy-table", type=Path, help="write the slices to fit on, and judge nothing")
    asked = parser.parse_args()
    groups = patients_of(asked.table, asked.root)
    volumes = {
        patient: replace(stacked(folder, asked.out / "volumes" / patient), strip=asked.strip)
        for patient, (folder, _) in groups.items()
    }
    tested = sorted(patient for patient, (_, split) in groups.items() if split == "test")
    known = sorted(set(groups) - set(tested))
    aside = known[2::3]
    learned = [patient for patient in known if patient not in aside]
    if asked.healthy_table:
        write_healthy(asked.healthy_table, volumes, {"train": learned, "threshold": aside})
        return
    print(
        f"{len(learned)} patients learned from, {len(aside)} kept aside, {len(tested)} judged; "
        f"alpha {ALPHA:g}\n"
    )
    for named in asked.detectors:
        judged = [] if asked.healthy_only else tested
        parts = scored(named, volumes, learned, [aside, judged], asked.out)
        tell(named, parts[0], parts[1] if judged else None)


def patients_of(table: Path, root: Path) -> dict[str, tuple[Path, str]]:
    """Return of each patient the folder and the split."""
    rows = read_collection(table, root=root)
    return {row.group: (row.path.parent, row.split or "") for row in rows if row.group}


def stacked(folder: Path, out: Path) -> Row:
    """Write the slices of a patient as a volume with its mask, if not done before; return its row."""
    scan, mask = out / "scan.nii.gz", out / "mask.nii.gz"
    if not mask.is_file():
        out.mkdir(parents=True, exist_ok=True)
        names = [path for path in folder.glob("*.png") if not path.stem.endswith("_mask")]
        names.sort(key=lambda path: int(re.findall(r"\d+", path.stem)[-1]))
        pixels = [read_picture(path).pixels for path in names]
        truth = [read_mask(path.with_name(f"{path.stem}_mask.png")) for path in names]
        # Rows go to the back, columns to the patient's left.
        side = FIELD / max(pixels[0].shape)
        affine = np.diag([-side, -side, max(HEIGHT / len(pixels), 1.5 * side), 1.0])
        for place, stack in ((scan, pixels), (mask, truth)):
            grid = np.stack(stack).transpose(2, 1, 0).astype(np.uint8)
            nibabel.save(nibabel.Nifti1Image(grid, affine), place)
    return Row(scan, folder.name, label="abnormal", group=folder.name, mask=mask)


def scored(
    named: str,
    volumes: dict[str, Row],
    learned: Sequence[str],
    parts: Sequence[Sequence[str]],
    out: Path,
) -> list[Slices]:
    """Fit on the healthy slices of some patients, and score those of others; kept below OUT."""
    strip = volumes[learned[0]].strip
    word = re.sub(r"[^a-z0-9-]+", "_", named if strip == WHOLE else f"{named} {strip}")
    kept = out / f"{word}-{'-'.join(str(len(part)) for part in parts)}.npz"
    if not kept.is_file():
        begun = time.perf_counter()
        rows = [[row for patient in part for row in list_slices(volumes[patient])] for part in parts]
        name, _, settings = named.partition(":")
        detector = make_detector(
            name,
            encoder="efficientnet-lite0",
            settings=detector_settings(name, settings.split(",") if settings else []),
        )
        # The scores themselves are wanted here; what they are compared with is put on below.
        screener = Screener(detector, by_position=False, rule="quantile", parameter=0.95)
        screener.fit(
            healthy([row for patient in learned for row in list_slices(volumes[patient])]),
            calibration=healthy(rows[0]),
        )
        arrays = {}
        for number, part in enumerate(rows):
            found = screener.score([replace(row, mask=None) for row in part], heatmaps=False, judge_all=True)
            arrays |= {f"scores{number}": np.array([finding.score for finding in found])}
            arrays |= {f"positions{number}": np.array([place_of(row) for row in part])}
            arrays |= {f"patients{number}": np.array([str(row.group) for row in part])}
            arrays |= {f"tumour{number}": np.array([row.label == "abnormal" for row in part])}
        np.savez(kept, **arrays)
        print(f"{named}: fitted and scored in {time.perf_counter() - begun:.0f} s\n")
    with np.load(kept) as file:
        return [
            Slices(*(file[f"{field}{number}"] for field in ("scores", "positions", "patients", "tumour")))
            for number in range(len(parts))
        ]


def write_healthy(path: Path, volumes: dict[str, Row], splits: dict[str, Sequence[str]]) -> None:
    """Write a table of the slices without tumour, as `atypia fit` takes it."""
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "split", "group", "plane", "slice", "sequence"])
        for split, patients in splits.items():
            for patient in patients:
                for row in healthy(list_slices(volumes[patient])):
                    place = f"{patient}/{row.path.name}"
                    table.writerow([place, "normal", split, patient, row.plane, row.slice, "FLAIR"])


def healthy(rows: Sequence[Row]) -> Collection:
    return Collection(tuple(row for row in rows if row.label == "normal"), "healthy slices")


def place_of(row: Row) -> float:
    return position(open_volume(row.path, row.strip), row.plane or "", row.slice or 0)


def tell(named: str, aside: Slices, tested: Slices | None) -> None:
    aside = aside.where(~aside.tumour)
    print(f"## {named}\n\n| bandwidth | log-likelihood of healthy scores |\n| --- | --- |")
    chosen = position_profile.BANDWIDTH
    for bandwidth in BANDWIDTHS:
        position_profile.BANDWIDTH = bandwidth
        print(f"| {bandwidth:g} | {likelihood(aside):.3f} |")
    position_profile.BANDWIDTH = chosen
    if tested is None:
        return
    print(
        "\n| compared by position | slice AUROC | slices flagged: healthy, tumour | volume AUROC "
        "| volumes flagged: without, with tumour | healthy slices flagged: lower, middle, upper third "
        "| volume AUROC, as many slices |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for word in ("no", "yes"):
        own, known = tested, aside
        if word == "yes":
            profile, scores = PositionProfile.learn(aside.scores, aside.positions, list(aside.patients))
            own = replace(tested, scores=profile.standardised(tested.scores, tested.positions))
            known = replace(aside, scores=scores)
        cells = (
            with_interval(own, slice_auroc),
            f"{flagged(own.where(~own.tumour), known)}, {flagged(own.where(own.tumour), known)}",
            with_interval(own, volume_auroc),
            f"{flagged_volumes(own.where(~own.tumour), known)}, {flagged_volumes(own, known)}",
            ", ".join(
                flagged(
                    own.where(~own.tumour & (own.positions >= low) & (own.positions < low + 1 / 3)), known
                )
                for low in (0, 1 / 3, 2 / 3)
            ),
            with_interval(own, equal_auroc),
        )
        print(f"| {word} | {' | '.join(cells)} |", flush=True)
    print()


def likelihood(aside: Slices) -> float:
    """The mean log-likelihood of a normal distribution around each healthy score, its patient left out."""
    total = 0.0
    for patient in np.unique(aside.patients):
        own = aside.patients == patient
        others = aside.where(~own)
        profile, _ = PositionProfile.learn(others.scores, others.positions, list(others.patients))
        knots = np.linspace(0, 1, position_profile.KNOTS)
        scale = np.interp(aside.positions[own], knots, profile.scale)
        far = profile.standardised(aside.scores[own], aside.positions[own])
        total += float(np.sum(-0.5 * far**2 - np.log(scale)))
    return total / len(aside.scores)


def slice_auroc(part: Slices, rng: np.random.Generator) -> float:
    del rng
    return float(roc_auc_score(part.tumour, part.scores))


def volume_auroc(part: Slices, rng: np.random.Generator) -> float:
    """Whole volumes against what is left of them without their slices with tumour."""
    del rng
    pairs = [(part.scores[own & ~part.tumour], part.scores[own]) for own in by_patient(part)]
    return paired_auroc([pair for pair in pairs if pair[0].size])


def equal_auroc(part: Slices, rng: np.random.Generator) -> float:
    """The same with as many slices on both sides, drawn from the whole volume with all those with tumour."""
    pairs = []
    for own in by_patient(part):
        without, sick = part.scores[own & ~part.tumour], part.scores[own & part.tumour]
        if not without.size:
            continue
        rest = rng.permutation(without)[: max(without.size - sick.size, 0)]
        pairs.append((without, np.concatenate([sick, rest])))
    return paired_auroc(pairs)


def paired_auroc(pairs: Sequence[tuple[Floats, Floats]]) -> float:
    without, whole = (np.array([volume_score(pair[side]) for pair in pairs]) for side in (0, 1))
    return float(roc_auc_score(np.repeat([0, 1], len(pairs)), np.concatenate([without, whole])))


def by_patient(part: Slices) -> list[NDArray[np.bool_]]:
    return [part.patients == patient for patient in np.unique(part.patients)]


def with_interval(part: Slices, measure: Callable[[Slices, np.random.Generator], float]) -> str:
    rng = np.random.default_rng(0)
    places = [np.flatnonzero(own) for own in by_patient(part)]
    drawn = []
    for _ in range(RESAMPLES if measure is slice_auroc else RESAMPLES // 4):
        some = [places[number] for number in rng.integers(len(places), size=len(places))]
        order = np.concatenate(some)
        renamed = np.repeat(np.arange(len(some)), [one.size for one in some]).astype(np.str_)
        again = Slices(part.scores[order], part.positions[order], renamed, part.tumour[order])
        drawn.append(measure(again, rng))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{measure(part, rng):.3f} ({low:.3f} to {high:.3f})"


def flagged(part: Slices, known: Slices) -> str:
    """The share of slices whose p-value is at most alpha."""
    if not part.scores.size:
        return "–"
    p_values = HealthyScores.of(known.scores, list(known.patients)).p_values(part.scores)
    return f"{100 * np.mean(p_values <= ALPHA):.0f} %"


def flagged_volumes(part: Slices, known: Slices) -> str:
    """The share of volumes whose p-value among the volumes kept aside is at most alpha."""
    usual = np.array([volume_score(known.scores[own]) for own in by_patient(known)])
    scores = [volume_score(part.scores[own]) for own in by_patient(part)]
    p_values = [(1 + np.count_nonzero(usual >= score)) / (1 + usual.size) for score in scores]
    return f"{sum(p <= ALPHA for p in p_values)} of {len(p_values)}"


if __name__ == "__main__":
    main()
