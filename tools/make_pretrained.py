"""Makes the Screener that comes with Atypia: src/atypia/pretrained/synthetic.atypia.

    python tools/make_pretrained.py WORK [--slices 2400] [--steps 2000] [--seed 0]

Heads are rendered in contrasts that need not exist (`atypia.datasets.phantom.random_contrast`), prepared as
any scan is, and stored small in WORK; a U-Net then learns to find simulated lesions in them; its threshold is
set on healthy phantoms that look like T1, T2 and FLAIR. No real scan is read at any time. Started again it
goes on where it was stopped. Needs the extras 'train' and 'demo'. Same seed, same machine, same file.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from atypia.datasets.phantom import SEQUENCES, phantom_image
from atypia.datasets.phantom.any_plane import SIDE, SPACING
from atypia.datasets.phantom.random_contrast import random_slice
from atypia.detectors.batch import Batch
from atypia.detectors.healthy_atlas import reduced
from atypia.detectors.lesion_channels import scan_channels
from atypia.detectors.pretrained_synthetic import PretrainedSynthetic
from atypia.errors import UnreadableScan
from atypia.lesions import LesionSettings, LesionSimulator
from atypia.networks.export import to_onnx
from atypia.networks.optimizer import one_cycle
from atypia.networks.segmenter import OUTPUTS, make_segmenter, make_segmenting_scorer
from atypia.networks.training import Plan, pace, train
from atypia.networks.unet import build_unet
from atypia.preparation import Preparation
from atypia.pretrained import pretrained_path
from atypia.progress import progress
from atypia.scan import Image, Scan
from atypia.screener import Screener

GRID, TOGETHER = 112, 100
LEARNING_RATE, BATCH = 3e-3, 16
LESIONS = LesionSettings(bright=0.65, ring=0.15, tissue=0.2, mass=0.3, several=0.3)
FAR = 30.0
FIRST_PHANTOM, PHANTOMS = 20_000_000, 240


def stored(seed: int, preparation: Preparation) -> tuple[Image, Image] | None:
    """Return a slice in units of its brain's median, and the depth that lesions heed, both (GRID, GRID)."""
    drawn = random_slice(seed)
    try:
        prepared = preparation(Scan(drawn.pixels.astype(np.float32), "slice"))
    except UnreadableScan:
        return None
    batch = Batch(prepared.pixels[None], prepared.foreground[None], prepared.interior[None])
    side = prepared.geometry.to_prepared(np.ones((SIDE, SIDE), np.float32)).shape[-1]
    columns = np.broadcast_to(np.arange(SIDE, dtype=np.float32), (SIDE, SIDE))
    rows = prepared.geometry.to_prepared(np.ascontiguousarray(columns.T))
    across = prepared.geometry.to_prepared(np.ascontiguousarray(columns))
    middle = slice(side // 2 - 8, side // 2 + 8)
    step = np.hypot(np.diff(across[middle, middle]), np.diff(rows[middle, middle])).mean()
    canvas = float(step) * SPACING * side
    depth = prepared.geometry.to_prepared(drawn.depth + np.float32(FAR)) - np.float32(FAR)
    # The simulator ends a lesion at `skull` below the surface of the head: here, at the brain's own.
    layer = depth / np.float32(canvas) + np.float32(LESIONS.skull)
    return reduced(batch.tissue, GRID)[0], reduced(layer[None], GRID)[0]


def slices(work: Path, count: int, seed: int) -> Image:
    """Return slices and depths float16 (N, 2, GRID, GRID), rendered in parts that are kept."""
    preparation, parts = Preparation(), []
    for start in progress(
        range(0, count, TOGETHER), total=-(-count // TOGETHER), label="rendering", unit="part"
    ):
        part = work / f"slices-{seed}-{start:05d}.npy"
        if not part.exists():
            first = seed * 1_000_000 + start
            made = [stored(first + place, preparation) for place in range(min(TOGETHER, count - start))]
            unfinished = part.with_suffix(".part.npy")
            np.save(unfinished, np.array([pair for pair in made if pair is not None], np.float16))
            unfinished.replace(part)
        parts.append(np.load(part))
    return np.concatenate(parts)


class RandomExamples:
    """Channels (n, h, w, 2) of slices with simulated lesions, and where these are (n, h, w, 1) as truth."""

    def __init__(self, layers: Image, seed: int) -> None:
        self._layers, self._seed = layers, seed
        self._simulate = LesionSimulator(GRID, LESIONS, seed)
        self.fingerprint = hashlib.sha256(layers.tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self._layers)

    def get(self, indices: NDArray[np.intp], view: int) -> tuple[list[Image], Image]:
        """Return inputs and truth for these slices in the `view`-th pass."""
        rng = np.random.default_rng((self._seed, 6, view, int(indices[0]), len(indices)))
        drawn = self._simulate(rng, self._layers[indices].astype(np.float32))
        return [scan_channels(drawn.pixels)], drawn.mask[..., None].astype(np.float32)


def trained(layers: Image, work: Path, steps: int, seed: int) -> bytes:
    """Return the ONNX graph of a network that has learned from the slices."""
    unet = build_unet(GRID, 2, 1, seed=seed, head="glorot_uniform")
    way = pace(steps, len(layers), BATCH)
    plan = Plan(
        settings={"trained": "pretrained-synthetic", "steps": way.steps, **asdict(LESIONS)},
        seed=seed,
        checkpoint=work / f"checkpoint-{seed}.npz",
        epochs=way.epochs,
        batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        rounds=way.rounds,
        epoch_size=way.epoch_size,
        views=0,
        resume=True,
        ahead=4,
    )
    train(make_segmenter(unet, one_cycle(LEARNING_RATE, way.steps)), RandomExamples(layers, seed), plan)
    return to_onnx(make_segmenting_scorer(unet), OUTPUTS)


def phantoms() -> list[Scan]:
    """Return healthy slices in the usual sequences, of which half set the threshold."""
    return [
        Scan(
            phantom_image(FIRST_PHANTOM + place, sequence=SEQUENCES[place % len(SEQUENCES)]).pixels.astype(
                np.float32
            ),
            f"phantom {place}",
        )
        for place in range(PHANTOMS)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path, help="folder for slices and checkpoints; kept")
    parser.add_argument("--slices", type=int, default=2400)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=pretrained_path("synthetic"))
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    graph = trained(slices(given.work, given.slices, given.seed), given.work, given.steps, given.seed)
    healthy = phantoms()
    # The fitness check would take every real scan for a stranger: it would have seen phantoms only.
    screener = Screener(PretrainedSynthetic(graph=graph), rule="quantile", parameter=0.95, fitness=False)
    screener.fit(healthy[: PHANTOMS // 2], calibration=healthy[PHANTOMS // 2 :], seed=given.seed)
    screener.save(given.out)
    print(f"saved {given.out}, {given.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
