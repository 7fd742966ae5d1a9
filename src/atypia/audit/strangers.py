"""Which images of a set do not belong to it: no brain MRI, turned, or healthy by name alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.audit.fellows import Fellows
from atypia.audit.first_look import Seen, first_look
from atypia.audit.poses import find_poses
from atypia.audit.unusual import how_unusual
from atypia.fitness.familiar import Familiar
from atypia.fitness.fitness import DISTANCE_MARGIN, LEAST_NOISE, MOSTLY_CT, NOISE_MARGIN
from atypia.fitness.look import BANDS, Looks, look_at
from atypia.reading.row import Row

FOLDS = 5
FEWEST = 20
MOST_LEARNED = 3000
SURE, VERY_SURE, TURNED = 0.95, 0.995, 0.75
FEWEST_POSES, LAID_RIGHT, MOST_POSED = 150, 0.8, 0.02
UNUSUAL, RANKED, MOST_RANKED = 4.0, 0.02, 40


@dataclass(frozen=True)
class Stranger:
    """An image to look at: its place among the rows, what it seems to be, why, and how strongly.

    `kind` is "CT", "blank", "montage", "noise", "not like the others", "turned", "upside down", "mirrored" or
    "unusual for a healthy scan". `score` is above 1 beyond the limit of its kind, and grows; the last kind is
    a ranking, of whose end the most unusual fiftieth is listed, also below 1.
    """

    index: int
    kind: str
    reason: str
    score: float


def find_strangers(
    rows: Sequence[Row], clusters: NDArray[np.int_], *, workers: int = 2, seed: int = 0
) -> tuple[Stranger, ...]:
    """Return the images of a set to look at, the strongest first, each once.

    `clusters` (N,) number copies of one image: an image is compared with those of other clusters only. Labels
    are used once: "healthy" images are compared with each other, all that are not labelled abnormal.
    An image that cannot be read is passed over. Below 20 readable images only CT, blanks, montages and noise
    are told; below 150 distinct ones, or where more than 2 % would be named, nothing of upside down and
    mirrored, which are hard to tell in axial slices; below 40 nothing of healthy scans.
    """
    with tempfile.TemporaryDirectory(prefix="atypia-", ignore_cleanup_errors=True) as folder:
        seen = first_look(rows, Path(folder), workers)
        found = [
            Stranger(place, "blank", "shows nothing: empty, or of one grey", 3.0) for place in seen.blank
        ]
        if seen.looks is not None:
            own = np.unique(np.asarray(clusters)[seen.places], return_inverse=True)[1].astype(np.intp)
            found += _found(rows, seen, seen.looks, own, Path(folder), workers, seed)
    strongest: dict[int, Stranger] = {}
    for stranger in sorted(found, key=lambda one: -one.score):
        strongest.setdefault(stranger.index, stranger)
    return tuple(strongest.values())


def _found(
    rows: Sequence[Row],
    seen: Seen,
    looks: Looks,
    clusters: NDArray[np.intp],
    work: Path,
    threads: int,
    seed: int,
) -> list[Stranger]:
    """Look for each kind in turn; what no brain is takes no part in what follows."""
    found = list(_by_themselves(seen, looks))
    odd = np.isin(seen.places, [one.index for one in found])
    if (~odd).sum() < FEWEST:
        return found
    distant = list(_distant(seen, looks, clusters, ~odd, seed))
    found += distant
    odd |= np.isin(seen.places, [one.index for one in distant])
    brains = np.flatnonzero(~odd)
    if len(brains) >= FEWEST:
        turned = list(_posed(seen, looks, clusters, brains, seed, threads))
        found += turned
        odd |= np.isin(seen.places, [one.index for one in turned if one.kind == "turned"])
    healthy = [n for n in np.flatnonzero(~odd) if rows[seen.places[n]].label != "abnormal"]
    found += _unhealthy(seen, clusters, np.array(healthy, np.intp), work, seed, threads)
    return found


def _by_themselves(seen: Seen, looks: Looks) -> Iterator[Stranger]:
    """Yield what needs few others to be told: CT among MRI, montages, noise."""
    noisiest = max(LEAST_NOISE, NOISE_MARGIN * float(np.median(looks.noise)))
    mostly_mri = (looks.ct > 0).mean() < MOSTLY_CT
    for place, ct, heads, noise in zip(
        seen.places.tolist(), looks.ct.tolist(), seen.heads.tolist(), looks.noise.tolist(), strict=True
    ):
        if heads >= 3:
            yield Stranger(place, "montage", f"shows {heads} heads side by side", 2.0)
        elif ct > 0 and mostly_mri:
            words = "looks like CT: a thick, closed, bright ring around an even interior"
            yield Stranger(place, "CT", words, 1.5 + ct / 2)
        elif noise > noisiest:
            yield Stranger(
                place, "noise", f"noise of {noise:.2f} of its range; the set's median is "
                f"{np.median(looks.noise):.3f}", noise / noisiest,
            )  # fmt: skip


def _distant(
    seen: Seen, looks: Looks, clusters: NDArray[np.intp], kept: NDArray[np.bool_], seed: int
) -> Iterator[Stranger]:
    """Yield what looks unlike all other clusters, or does until it is turned by a quarter.

    Cross-fitted twice, the second time without what the first found.
    """
    distances, _ = _cross_fitted(looks, clusters, kept, seed)
    inner = kept & (distances <= DISTANCE_MARGIN * float(np.median(distances[kept])))
    distances, familiar = _cross_fitted(looks, clusters, inner, seed)
    middle = float(np.median(distances[kept]))
    limit = DISTANCE_MARGIN * middle
    for n in np.flatnonzero(kept & (distances > limit)):
        place, score = int(seen.places[n]), float(distances[n]) / limit
        if _nearer_when_turned(seen, int(n), familiar[n]) <= TURNED * distances[n]:
            yield Stranger(place, "turned", "lies a quarter turn from the others", score)
        else:
            words = (
                f"unlike the other images: distance {distances[n]:.2f}, half of them are within {middle:.2f}"
            )
            yield Stranger(place, "not like the others", words, score)


def _nearer_when_turned(seen: Seen, place: int, familiar: Familiar) -> float:
    """Return the less of the distances after a quarter turn to either side."""
    batch = seen.pictures.batch(np.array([place]))
    pixels = np.concatenate([np.rot90(batch.pixels, way, (1, 2)) for way in (1, 3)])
    heads = np.concatenate([np.rot90(batch.foreground, way, (1, 2)) for way in (1, 3)])
    return float(familiar.distance(look_at(pixels, heads, 1).features).min())


def _cross_fitted(
    looks: Looks, clusters: NDArray[np.intp], learned: NDArray[np.bool_], seed: int
) -> tuple[NDArray[np.float64], list[Familiar]]:
    """Return for each image (N,) its distance, and what it was compared with: images of other clusters."""
    rng = np.random.default_rng((seed, 10))
    fold = (rng.permutation(int(clusters.max()) + 1) % FOLDS)[clusters]
    distances = np.zeros(len(looks))
    fitted: list[Familiar] = []
    for number in range(FOLDS):
        others = np.flatnonzero(learned & (fold != number))
        _, first = np.unique(clusters[others], return_index=True)
        fitted.append(Familiar.learn(looks.features[rng.permutation(others[first])[:MOST_LEARNED]]))
        mine = fold == number
        distances[mine] = fitted[number].distance(looks.features[mine])
    return distances, [fitted[number] for number in fold]


def _posed(
    seen: Seen,
    looks: Looks,
    clusters: NDArray[np.intp],
    brains: NDArray[np.intp],
    seed: int,
    threads: int,
) -> Iterator[Stranger]:
    """Yield what a discriminant takes for turned and what does lie better among its fellows laid right."""
    own = np.unique(clusters[brains], return_inverse=True)[1].astype(np.intp)
    pictures = seen.pictures.only(brains)
    poses = find_poses(looks.features[brains][:, -BANDS:], pictures, own, seed=seed, threads=threads)
    fellows = Fellows(pictures, own, seed)
    kinds = (
        ("turned", poses.turned, SURE, "lies a quarter turn from the others", 1.3),
        ("upside down", poses.upside_down, VERY_SURE, "lies upside down against the others", 1.0),
        ("mirrored", poses.mirrored, VERY_SURE, "seems mirrored against the others", 1.0),
    )
    # Upside down and mirrored are hard to tell: what learned from few scans is surer of it than it may be.
    for kind, sure, bar, words, weight in kinds[: 3 if own.max() >= FEWEST_POSES else 1]:
        named = [n for n in np.flatnonzero(sure > bar).tolist() if fellows.gain(n, kind) <= LAID_RIGHT]
        if kind != "turned" and len(named) > MOST_POSED * len(brains):
            continue  # where so many lie so, the set has no one pose to lie against
        for n in named:
            place, share = int(seen.places[brains[n]]), float(sure[n])
            score = weight * (1 + (share - bar) / (1 - bar) / 4)
            yield Stranger(place, kind, f"{words} (probability {share:.3f})", score)


def _unhealthy(
    seen: Seen, clusters: NDArray[np.intp], healthy: NDArray[np.intp], work: Path, seed: int, threads: int
) -> Iterator[Stranger]:
    unusual = None
    if len(healthy):
        pictures = seen.pictures.only(healthy)
        unusual = how_unusual(pictures, clusters[healthy], work, seed=seed, threads=threads)
    if unusual is None:
        return
    most = min(MOST_RANKED, max(1, round(RANKED * len(unusual))))
    for rank, n in enumerate(np.argsort(-unusual, kind="stable")):
        deviations = float(unusual[n])
        if deviations > UNUSUAL or (rank < most and deviations > 1):
            words = f"number {rank + 1} of {len(unusual)} healthy images in how unlike the others it looks "
            words += f"({deviations:.1f} robust deviations above their median)"
            place = int(seen.places[healthy[n]])
            yield Stranger(place, "unusual for a healthy scan", words, deviations / UNUSUAL)
