"""Nearest: how far a scan is from the healthy scans most like it, as a whole and cell by cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.cache import cache_folder
from atypia.detectors.base import Detector, Scores, State
from atypia.detectors.batch import Batch, PreparedSet, batches
from atypia.detectors.encoded_examples import EncodedExamples, pool_cells
from atypia.detectors.fit_context import FitContext
from atypia.detectors.views import Views
from atypia.encoders import Encoder, deepest_cut, load_encoder
from atypia.encoders.feature_cache import FeatureCache
from atypia.encoders.one_grid import on_one_grid
from atypia.errors import BadOption, CorruptArtefact, NotEnoughScans
from atypia.networks.whitening import Whitening
from atypia.scan import Image

Array = NDArray[np.float32]
FEWEST = 10
AT_ONCE = 32
PER_SCAN = 40
ALIKE = 3


@final
class Nearest(Detector):
    """k-nearest-neighbour distance on whitened features of a frozen encoder.

    Whole scan: mean cosine distance to the `neighbours` most alike healthy scans, on max-pooled, mean-and-
    deviation and 2x2-pooled features, each whitened (k-NN on deep features: Bergman, Cohen, Hoshen, "Deep
    nearest neighbor anomaly detection", 2020; whitened cosine: our choice).
    Map: for each cell, the mean cosine distance to the three most alike cells near the same place in the
    `retrieved` most alike healthy scans (after SPADE: Cohen and Hoshen, "Sub-image anomaly detection with
    deep pyramid correspondences", 2020, equations 2 and 3).
    Score: the mean of the first and of the map's highest tenth inside the head; in [0, 2].
    The bank holds at most `bank` scans, drawn at random, so that it does not grow without bound.
    """

    name: ClassVar[str] = "nearest"

    def __init__(
        self,
        encoder: str = "auto",
        weights: Path | None = None,
        threads: int | None = None,
        neighbours: int = 5,
        retrieved: int = 10,
        components: int = 64,
        reach: int = 2,
        top: float = 0.1,
        bank: int = 2000,
    ) -> None:
        self.encoder, self.weights, self.threads = encoder, weights, threads
        self.neighbours, self.retrieved, self.components = neighbours, retrieved, components
        self.reach, self.top, self.bank = reach, top, bank
        self._check()

    def _check(self) -> None:
        lowest = {"neighbours": 1, "retrieved": 1, "components": 1, "reach": 0, "bank": FEWEST}
        for name, least in lowest.items():
            if not getattr(self, name) >= least:
                raise BadOption(f"Expected {name} of at least {least}; received {getattr(self, name)}.")
        if not 0 < self.top <= 1:
            raise BadOption(f"Expected top in (0, 1]; received {self.top}.")

    def fit(self, healthy: PreparedSet, context: FitContext) -> Self:
        """Fill the bank; raise NotEnoughScans below 10 scans."""
        if len(healthy) < FEWEST:
            raise NotEnoughScans(
                f"The detector 'nearest' needs at least {FEWEST} healthy scans, received {len(healthy)}."
            )
        cut = deepest_cut(self.encoder, self.weights, scales=2)
        encoder = load_encoder(self.encoder, cut=cut, weights=self.weights, threads=self.threads)
        self.encoder_ = on_one_grid(encoder)
        views = Views(healthy, context.work / "views", copies=0, seed=context.seed)
        examples = EncodedExamples(views, self.encoder_, FeatureCache(cache_folder("features")))
        examples.encode_all()
        self.cell_whitening_ = [
            Whitening.learn(rows, self.components) for rows in examples.sample_cells(PER_SCAN, context.seed)
        ]
        rng = np.random.default_rng((context.seed, 4))
        self._fill(examples, np.sort(rng.permutation(len(healthy))[: self.bank]))
        return self

    def _fill(self, examples: EncodedExamples, kept: NDArray[np.intp]) -> None:
        """Put these scans into the bank: their cells as float16, their descriptors whitened."""
        pooled: list[list[Array]] = []
        cells: list[NDArray[np.float16]] = []
        for part in batches(len(kept), AT_ONCE):
            maps = examples.get(kept[part], 0)[0]
            pooled.append(_pooled(maps[-1]))
            cells.append(self._cells(maps).astype(np.float16))
        descriptors = [np.concatenate(kind) for kind in zip(*pooled, strict=True)]
        self.whitening_ = [Whitening.learn(rows, 2 * self.components) for rows in descriptors]
        self.cells_ = np.concatenate(cells)
        self.bank_ = self._descriptor(descriptors)

    def score(self, batch: Batch) -> Scores:
        """Score prepared scans: cosine distances, near 0 for a scan that the bank holds, at most 2."""
        self._demand_fitted()
        maps = self.encoder_(batch.pixels)
        likeness = self._descriptor(_pooled(maps[-1])) @ self.bank_.T
        order = np.argsort(-likeness, axis=1, kind="stable")
        whole = 1 - np.take_along_axis(likeness, order[:, : self.neighbours], axis=1).mean(axis=1)
        heat = np.stack(
            [
                self._cell_distances(cells, alike[: self.retrieved])
                for cells, alike in zip(self._cells(maps), order, strict=True)
            ]
        )
        heads = pool_cells(batch.foreground[..., None].astype(np.float32), max(self.encoder_.strides))[..., 0]
        local = np.array([_highest(h, head > 0.5, self.top) for h, head in zip(heat, heads, strict=True)])
        pixels = np.stack([_enlarge(h, batch.pixels.shape[-1]) for h in heat])
        return Scores((whole + local) / 2, pixels * batch.foreground)

    def _cells(self, maps: list[Array]) -> Array:
        """Return unit vectors (N, G, G, K): the whitened layers side by side."""
        return _unit(
            np.concatenate([_unit(w(m)) for w, m in zip(self.cell_whitening_, maps, strict=True)], axis=-1)
        )

    def _descriptor(self, pooled: list[Array]) -> Array:
        """Return unit vectors (N, D) whose product is the mean of the kinds' cosines."""
        return _unit(
            np.concatenate([_unit(w(p)) for w, p in zip(self.whitening_, pooled, strict=True)], axis=-1)
        )

    def _cell_distances(self, cells: Array, retrieved: NDArray[np.intp]) -> Array:
        """Return (G, G): distance of each cell to the three most alike cells within reach, in these scans."""
        grid = cells.shape[0]
        bank = np.pad(
            self.cells_[retrieved].astype(np.float32),
            ((0, 0), (self.reach, self.reach), (self.reach, self.reach), (0, 0)),
            mode="edge",
        )
        steps = range(2 * self.reach + 1)
        likeness = [
            np.einsum("ijk,rijk->rij", cells, bank[:, a : a + grid, b : b + grid], optimize=True)
            for a in steps
            for b in steps
        ]
        everyone = np.concatenate(likeness)
        count = min(ALIKE, len(everyone))
        best = np.partition(everyone, -count, axis=0)[-count:]
        return np.asarray(1 - best.mean(axis=0), dtype=np.float32)

    def _demand_fitted(self) -> None:
        if not hasattr(self, "bank_"):
            raise BadOption("This detector 'nearest' has not been fitted: call fit, or load a saved one.")

    def state(self) -> State:
        """Return settings, encoder and bank."""
        self._demand_fitted()
        settings = {
            k: getattr(self, k) for k in ("neighbours", "retrieved", "components", "reach", "top", "bank")
        }
        arrays: dict[str, NDArray[Any]] = {"bank": self.bank_, "cells": self.cells_}
        for kind, whitenings in (("cell", self.cell_whitening_), ("whole", self.whitening_)):
            for i, w in enumerate(whitenings):
                arrays |= {f"{kind}{i}_mean": w.mean, f"{kind}{i}_matrix": w.matrix}
        parameters = {"settings": settings, "encoder": self.encoder_.to_dict()}
        return State(parameters, arrays, {"encoder": self.encoder_.graph})

    @classmethod
    def from_state(cls, state: State, threads: int | None = None) -> Self:
        """Rebuild; raise CorruptArtefact where a part is missing."""
        try:
            self = cls(threads=threads, **state.parameters["settings"])
            self.encoder_ = Encoder.from_dict(
                state.parameters["encoder"], state.graphs["encoder"], threads=threads
            )
            self.bank_, self.cells_ = state.arrays["bank"], state.arrays["cells"]
            self.cell_whitening_ = _whitenings(state.arrays, "cell")
            self.whitening_ = _whitenings(state.arrays, "whole")
        except (KeyError, TypeError, BadOption) as error:
            raise CorruptArtefact(f"The saved detector 'nearest' cannot be used: {error}.") from error
        return self


def _whitenings(arrays: dict[str, Array], kind: str) -> list[Whitening]:
    count = sum(name.startswith(kind) and name.endswith("_mean") for name in arrays)
    return [Whitening(arrays[f"{kind}{i}_mean"], arrays[f"{kind}{i}_matrix"]) for i in range(count)]


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-6))


def _pooled(maps: Array) -> list[Array]:
    """Pool (N, G, G, C) in three ways: maximum, mean with deviation, mean of the quarters."""
    n, half, channels = len(maps), maps.shape[1] // 2, maps.shape[-1]
    quarters = pool_cells(maps[:, : 2 * half, : 2 * half], half).reshape(n, 4 * channels)
    return [maps.max((1, 2)), np.concatenate([maps.mean((1, 2)), maps.std((1, 2))], axis=1), quarters]


def _highest(heat: Image, head: NDArray[np.bool_], top: float) -> float:
    values = heat[head] if head.any() else heat.ravel()
    return float(np.sort(values)[-max(1, round(top * values.size)) :].mean())


def _enlarge(heat: Image, size: int) -> Image:
    """Interpolate a map of cells to pixels, cell centres staying where they are."""
    return np.asarray(
        ndimage.zoom(heat, size / heat.shape[0], order=1, mode="nearest", grid_mode=True), np.float32
    )
