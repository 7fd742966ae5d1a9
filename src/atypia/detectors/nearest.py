"""Nearest: how far a scan is from the healthy scans most like it, as a whole and cell by cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from atypia.detectors.adapting import check_adapt
from atypia.detectors.base import Detector, Scores, State
from atypia.detectors.batch import Batch, PreparedSet, batches
from atypia.detectors.cells import unit, widened
from atypia.detectors.encoded_examples import EncodedExamples
from atypia.detectors.encoded_healthy import EncodedHealthy
from atypia.detectors.fit_context import FitContext
from atypia.detectors.heat import highest, resampling, to_cells, to_pixels
from atypia.detectors.near_cells import near_products
from atypia.detectors.whole_scan import WholeScan, poolings
from atypia.encoders import Encoder
from atypia.errors import BadOption, CorruptArtefact, NotEnoughScans
from atypia.networks.whitening import Whitening

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
    Map: for each cell, averaged over `window` cells a side, the mean cosine distance to the three most alike
    cells at most `reach` from the same place in the `retrieved` most alike healthy scans (after SPADE: Cohen
    and Hoshen, "Sub-image anomaly detection with deep pyramid correspondences", 2020, equations 2 and 3).
    Score: the mean of the first and of the map's highest share `top` inside the head; in [0, 2].
    The bank holds at most `bank` scans, drawn at random, so that it does not grow without bound.
    With `adapt` above 0 the encoder is first trained on, for so many steps, on the healthy scans (`adapted`).
    """

    name: ClassVar[str] = "nearest"

    def __init__(
        self,
        encoder: str = "auto",
        weights: Path | None = None,
        threads: int | None = None,
        neighbours: int = 5,
        retrieved: int = 40,
        components: int = 64,
        reach: int = 2,
        top: float = 0.03,
        bank: int = 2000,
        window: int = 3,
        adapt: int = 0,
    ) -> None:
        self.encoder, self.weights, self.threads = encoder, weights, threads
        self.neighbours, self.retrieved, self.components = neighbours, retrieved, components
        self.reach, self.top, self.bank, self.window = reach, top, bank, window
        self.adapt = adapt
        self._check()

    def _check(self) -> None:
        lowest = {"neighbours": 1, "retrieved": 1, "components": 1, "reach": 0, "bank": FEWEST, "window": 1}
        for name, least in lowest.items():
            if not getattr(self, name) >= least:
                raise BadOption(f"Expected {name} of at least {least}; received {getattr(self, name)}.")
        if not self.window % 2:
            raise BadOption(f"Expected an odd window; received {self.window}.")
        if not 0 < self.top <= 1:
            raise BadOption(f"Expected top in (0, 1]; received {self.top}.")
        check_adapt(self.adapt, self.encoder)

    def fit(self, healthy: PreparedSet, context: FitContext) -> Self:
        """Fill the bank; raise NotEnoughScans below 10 scans."""
        if len(healthy) < FEWEST:
            raise NotEnoughScans(
                f"The detector 'nearest' needs at least {FEWEST} healthy scans, received {len(healthy)}."
            )
        encoded = EncodedHealthy.of(
            healthy,
            context,
            self.encoder,
            self.weights,
            self.threads,
            scales=2,
            adapt=self.adapt,
            one_grid=True,
        )
        self.encoder_, examples, self.history_ = encoded.encoder, encoded.examples, encoded.history
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
            pooled.append(poolings(maps[-1]))
            cells.append(self._cells(maps).astype(np.float16))
        descriptors = [np.concatenate(kind) for kind in zip(*pooled, strict=True)]
        self.whole_ = WholeScan.learn(descriptors, 2 * self.components)
        self.cells_ = np.concatenate(cells)
        self.bank_ = self.whole_(descriptors)

    def score(self, batch: Batch) -> Scores:
        """Score prepared scans: cosine distances, near 0 for a scan that the bank holds, at most 2."""
        self._demand_fitted()
        maps = self.encoder_(batch.pixels)
        likeness = self.whole_(poolings(maps[-1])) @ self.bank_.T
        order = np.argsort(-likeness, axis=1, kind="stable")
        whole = 1 - np.take_along_axis(likeness, order[:, : self.neighbours], axis=1).mean(axis=1)
        heat = np.stack(
            [
                self._cell_distances(cells, alike[: self.retrieved])
                for cells, alike in zip(self._cells(maps), order, strict=True)
            ]
        )
        local = highest(heat, to_cells(batch.foreground, heat.shape[-1]), self.top)
        return Scores((whole + local) / 2, to_pixels(heat, batch.foreground))

    def _cells(self, maps: list[Array]) -> Array:
        """Return unit vectors (N, G, G, K): the whitened layers side by side, averaged over the window."""
        layers = zip(self.cell_whitening_, maps, strict=True)
        return unit(np.concatenate([unit(self._averaged(whiten(m))) for whiten, m in layers], axis=-1))

    def _averaged(self, layer: Array) -> Array:
        matrix = resampling(layer.shape[1], layer.shape[1], self.window)
        n, grid, _, width = layer.shape
        rows = (matrix @ layer.reshape(n, grid, grid * width)).reshape(layer.shape)
        return np.asarray(matrix @ rows)

    def _cell_distances(self, cells: Array, retrieved: NDArray[np.intp]) -> Array:
        """Return (G, G): distance of each cell to the three most alike cells within reach, in these scans."""
        likeness = near_products(cells, widened(self.cells_[retrieved]), self.reach)
        count = min(ALIKE, likeness.shape[1])
        best = np.partition(likeness, -count, axis=1)[:, -count:]
        return np.asarray(1 - best.mean(axis=1)).reshape(cells.shape[:2])

    def _demand_fitted(self) -> None:
        if not hasattr(self, "bank_"):
            raise BadOption("This detector 'nearest' has not been fitted: call fit, or load a saved one.")

    def state(self) -> State:
        """Return settings, encoder and bank."""
        self._demand_fitted()
        names = ("neighbours", "retrieved", "components", "reach", "top", "bank", "window", "adapt")
        settings = {name: getattr(self, name) for name in names}
        arrays: dict[str, NDArray[Any]] = {"bank": self.bank_, "cells": self.cells_}
        for i, whitening in enumerate(self.cell_whitening_):
            arrays |= {f"cell{i}_mean": whitening.mean, f"cell{i}_matrix": whitening.matrix}
        arrays |= self.whole_.arrays()
        parameters: dict[str, Any] = {"settings": settings, "encoder": self.encoder_.to_dict()}
        if self.history_:
            parameters["history"] = self.history_
        return State(parameters, arrays, {"encoder": self.encoder_.graph})

    @classmethod
    def from_state(cls, state: State, threads: int | None = None) -> Self:
        """Rebuild; raise CorruptArtefact where a part is missing."""
        try:
            # Those saved before there was a window averaged nothing.
            self = cls(threads=threads, **({"window": 1} | state.parameters["settings"]))
            self.encoder_ = Encoder.from_dict(
                state.parameters["encoder"], state.graphs["encoder"], threads=threads
            )
            self.history_ = list(state.parameters.get("history", ()))
            self.bank_, self.cells_ = state.arrays["bank"], state.arrays["cells"]
            self.cell_whitening_ = [
                Whitening(state.arrays[f"cell{i}_mean"], state.arrays[f"cell{i}_matrix"])
                for i in range(len(self.encoder_.cut))
            ]
            self.whole_ = WholeScan.from_arrays(state.arrays)
        except (KeyError, TypeError, BadOption) as error:
            raise CorruptArtefact(f"The saved detector 'nearest' cannot be used: {error}.") from error
        return self
