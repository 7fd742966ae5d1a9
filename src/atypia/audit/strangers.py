"""Which images of a set do not belong to it: no brain MRI, turned, or healthy by name alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.audit.first_look import Seen, first_look
from atypia.audit.noise import EVEN, evenness
from atypia.audit.poses import LAID_RIGHT, NEAREST, find_posed
from atypia.audit.unusual import how_unusual
from atypia.fitness.familiar import Familiar
from atypia.fitness.fitness import DISTANCE_MARGIN, LEAST_NOISE, MOSTLY_CT, NOISE_MARGIN
from atypia.fitness.look import Looks
from atypia.reading.row import Row
from atypia.scratch import Scratch

FOLDS = 5
FEWEST = 20
MOST_LEARNED = 3000
FEWEST_POSES, MOST_POSED = 60, 0.1
UNUSUAL, RANKED, MOST_RANKED = 4.0, 0.02, 40
_POSES = {
    "turned": "lies a quarter turn from the others",
    "upside down": "lies upside down against the others",
    "mirrored": "is mirrored against the others",
}


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
    are told; below 60 distinct ones, or where more than a tenth would be named, nothing of upside down and
    mirrored; below 40 nothing of healthy scans. Mirrored ones are told where the anatomy is not symmetric, as
    in sagittal slices: in axial and coronal ones they can not be told.
    """
    with Scratch() as folder:
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
    posed = list(_posed(seen, clusters, np.flatnonzero(~odd), seed))
    found += posed
    odd |= np.isin(seen.places, [one.index for one in posed if one.kind != "mirrored"])
    distant = list(_distant(seen, looks, clusters, ~odd, seed))
    found += distant
    odd |= np.isin(seen.places, [one.index for one in distant])
    healthy = [n for n in np.flatnonzero(~odd) if rows[seen.places[n]].label != "abnormal"]
    found += _unhealthy(seen, clusters, np.array(healthy, np.intp), work, seed, threads)
    return found


def _by_themselves(seen: Seen, looks: Looks) -> Iterator[Stranger]:
    """Yield what needs few others to be told: CT among MRI, montages, noise."""
    noisiest = max(LEAST_NOISE, NOISE_MARGIN * float(np.median(looks.noise)))
    mostly_mri = (looks.ct > 0).mean() < MOSTLY_CT
    measures = zip(
        seen.places.tolist(), looks.ct.tolist(), seen.heads.tolist(), looks.noise.tolist(), strict=True
    )
    for n, (place, ct, heads, noise) in enumerate(measures):
        if heads >= 3:
            yield Stranger(place, "montage", f"shows {heads} heads side by side", 2.0)
        elif ct > 0 and mostly_mri:
            words = "looks like CT: a thick, closed, bright ring around an even interior"
            yield Stranger(place, "CT", words, 1.5 + ct / 2)
        elif noise > noisiest and _is_even(seen, n):
            yield Stranger(
                place, "noise", f"noise of {noise:.2f} of its range; the set's median is "
                f"{np.median(looks.noise):.3f}", noise / noisiest,
            )  # fmt: skip


def _is_even(seen: Seen, n: int) -> bool:
    """Tell whether what is rough is so everywhere: else the picture was sharpened, and is not noisy."""
    batch = seen.pictures.batch(np.array([n]))
    return evenness(batch.pixels[0], batch.foreground[0]) >= EVEN


def _distant(
    seen: Seen, looks: Looks, clusters: NDArray[np.intp], kept: NDArray[np.bool_], seed: int
) -> Iterator[Stranger]:
    """Yield what looks unlike all other clusters.

    Cross-fitted twice, the second time without what the first found.
    """
    distances = _cross_fitted(looks, clusters, kept, seed)
    inner = kept & (distances <= DISTANCE_MARGIN * float(np.median(distances[kept])))
    distances = _cross_fitted(looks, clusters, inner, seed)
    middle = float(np.median(distances[kept]))
    limit = DISTANCE_MARGIN * middle
    for n in np.flatnonzero(kept & (distances > limit)):
        words = f"unlike the other images: distance {distances[n]:.2f}, half of them are within {middle:.2f}"
        yield Stranger(int(seen.places[n]), "not like the others", words, float(distances[n]) / limit)


def _cross_fitted(
    looks: Looks, clusters: NDArray[np.intp], learned: NDArray[np.bool_], seed: int
) -> NDArray[np.float64]:
    """Return for each image (N,) its distance from images of other clusters."""
    rng = np.random.default_rng((seed, 10))
    fold = (rng.permutation(int(clusters.max()) + 1) % FOLDS)[clusters]
    distances = np.zeros(len(looks))
    for number in range(FOLDS):
        others = np.flatnonzero(learned & (fold != number))
        _, first = np.unique(clusters[others], return_index=True)
        familiar = Familiar.learn(looks.features[rng.permutation(others[first])[:MOST_LEARNED]])
        mine = fold == number
        distances[mine] = familiar.distance(looks.features[mine])
    return distances


def _posed(seen: Seen, clusters: NDArray[np.intp], brains: NDArray[np.intp], seed: int) -> Iterator[Stranger]:
    """Yield what lies better among its fellows once it is turned, or mirrored, if few do."""
    own = np.unique(clusters[brains], return_inverse=True)[1].astype(np.intp)
    found = list(find_posed(seen.pictures.only(brains), own, seed=seed))
    counts = Counter(one.kind for one in found)
    for one in found:
        if one.kind != "turned" and (own.max() < FEWEST_POSES or counts[one.kind] > MOST_POSED * len(brains)):
            continue  # too few to compare with, or the set has no one pose to lie against
        times = f"the {NEAREST} nearest of them are {1 / one.gain:.1f} times as near once it is laid right"
        place = int(seen.places[brains[one.place]])
        yield Stranger(place, one.kind, f"{_POSES[one.kind]}: {times}", LAID_RIGHT / one.gain)


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
