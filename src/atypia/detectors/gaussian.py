"""Gaussian: how far a scan is from the healthy ones, in units of how they vary, place by place."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self, final, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.detectors.adapting import check_adapt
from atypia.detectors.base import Detector, Scores, State
from atypia.detectors.batch import Batch, PreparedSet, batches
from atypia.detectors.cells import Cells
from atypia.detectors.encoded_examples import EncodedExamples
from atypia.detectors.encoded_healthy import EncodedHealthy
from atypia.detectors.fit_context import FitContext
from atypia.detectors.heat import highest, to_cells, to_pixels
from atypia.detectors.mahalanobis import PlaceGaussians, Sums, WholeGaussian
from atypia.encoders import Encoder
from atypia.errors import BadOption, CorruptArtefact, NotEnoughScans

Array = NDArray[np.float32]
Image = Literal["local", "whole", "both"]
FEWEST = 10
AT_ONCE = 32
ENCODER = "encoder"


@final
class Gaussian(Detector):
    """Mahalanobis distance on features of a frozen encoder, for each place and for the whole scan.

    Map: each cell's distance to the nearest of the Gaussians at most `reach` cells from its place (PaDiM:
    Defard et al. 2020; principal directions, `components` for each of the `scales`, in place of its random
    channels). Each Gaussian is learned from the cells at most `spread` from its place, and its covariance is
    shrunk as Ledoit and Wolf (2004) derive, with the number of scans for that of samples, since the cells of
    one scan are not independent.
    Score with `image` "local": the mean of the highest share `top` of the head's cells; "whole": the mean
    over the scales of the distance of the pooled features' mean and deviation (Rippel, Mertens and Merhof,
    "Modeling the distribution of normal data in pre-trained deep features for anomaly detection", 2020, with
    their shrinkage); "both": the mean of the two. All are near 1 for healthy scans and unbounded above.
    With `adapt` above 0 the encoder is first trained on, for so many steps, on the healthy scans (`adapted`).
    """

    name: ClassVar[str] = "gaussian"

    def __init__(
        self,
        encoder: str = "auto",
        weights: Path | None = None,
        threads: int | None = None,
        scales: int = 2,
        components: int = 32,
        spread: int = 1,
        reach: int = 1,
        image: Image = "local",
        top: float = 0.1,
        adapt: int = 0,
    ) -> None:
        self.encoder, self.weights, self.threads = encoder, weights, threads
        self.scales, self.components, self.spread, self.reach = scales, components, spread, reach
        self.image, self.top, self.adapt = image, top, adapt
        self._check()

    def _check(self) -> None:
        for name, least in {"scales": 1, "components": 1, "spread": 0, "reach": 0}.items():
            if not getattr(self, name) >= least:
                raise BadOption(f"Expected {name} of at least {least}; received {getattr(self, name)}.")
        if not 0 < self.top <= 1:
            raise BadOption(f"Expected top in (0, 1]; received {self.top}.")
        if self.image not in get_args(Image):
            raise BadOption(f"Expected image local, whole or both; received {self.image}.")
        check_adapt(self.adapt, self.encoder)

    def fit(self, healthy: PreparedSet, context: FitContext) -> Self:
        """Learn the Gaussians; raise NotEnoughScans below 10 scans, BadOption for too many scales."""
        if len(healthy) < FEWEST:
            raise NotEnoughScans(
                f"The detector 'gaussian' needs at least {FEWEST} healthy scans, received {len(healthy)}."
            )
        encoded = EncodedHealthy.of(
            healthy, context, self.encoder, self.weights, self.threads, scales=self.scales, adapt=self.adapt
        )
        self.encoder_, examples, self.history_ = encoded.encoder, encoded.examples, encoded.history
        self.cells_ = Cells.learn(examples, self.components, context.seed)
        self.places_ = self._places(examples)
        parts = [_pooled(examples.get(part, 0)[0]) for part in batches(len(examples), AT_ONCE)]
        self.wholes_ = [WholeGaussian.learn(np.concatenate(layer)) for layer in zip(*parts, strict=True)]
        return self

    def _places(self, examples: EncodedExamples) -> PlaceGaussians:
        """Learn a Gaussian for each place in two passes, none of which holds all cells."""
        count = len(examples)
        first = second = np.zeros(())
        for part in batches(count, AT_ONCE):
            cells = self.cells_(examples.get(part, 0)[0]).astype(np.float64)
            first = first + cells.sum(axis=0)
            by_place = cells.transpose(1, 2, 0, 3)
            second = second + by_place.swapaxes(-1, -2) @ by_place
        mean, raw = self._around(first / count), self._around(second / count)
        covariance = raw - mean[..., None] * mean[..., None, :]
        fourth = np.zeros(mean.shape[:2])
        for part in batches(count, AT_ONCE):
            centred = self.cells_(examples.get(part, 0)[0]) - mean
            fourth = fourth + ((centred**2).sum(axis=-1) ** 2).sum(axis=0)
        return PlaceGaussians.of(mean, covariance, self._around(fourth / count), count)

    def _around(self, sums: Sums) -> Sums:
        """Average over the places at most `spread` away."""
        window = (2 * self.spread + 1,) * 2 + (1,) * (sums.ndim - 2)
        return np.asarray(ndimage.uniform_filter(sums, window, mode="nearest"))

    def score(self, batch: Batch) -> Scores:
        """Score prepared scans in standard deviations of the healthy, near 1 for what is like them."""
        self._demand_fitted()
        maps = self.encoder_(batch.pixels)
        heat = self.places_.distances(self.cells_(maps), self.reach)
        image = np.zeros(len(batch))
        if self.image != "whole":
            image += highest(heat, to_cells(batch.foreground, heat.shape[-1]), self.top)
        if self.image != "local":
            layers = zip(self.wholes_, _pooled(maps), strict=True)
            image += np.mean([whole.distances(pooled) for whole, pooled in layers], axis=0)
        return Scores(image / (2 if self.image == "both" else 1), to_pixels(heat, batch.foreground))

    def _demand_fitted(self) -> None:
        if not hasattr(self, "wholes_"):
            raise BadOption("This detector 'gaussian' has not been fitted: call fit, or load a saved one.")

    def state(self) -> State:
        """Return settings, encoder and Gaussians."""
        self._demand_fitted()
        names = ("scales", "components", "spread", "reach", "image", "top", "adapt")
        settings = {name: getattr(self, name) for name in names}
        arrays = self.cells_.arrays() | self.places_.arrays()
        for i, whole in enumerate(self.wholes_):
            arrays |= whole.arrays(f"whole{i}")
        parameters: dict[str, Any] = {"settings": settings, "encoder": self.encoder_.to_dict()}
        if self.history_:
            parameters["history"] = self.history_
        return State(parameters, arrays, {ENCODER: self.encoder_.graph})

    @classmethod
    def from_state(cls, state: State, threads: int | None = None) -> Self:
        """Rebuild; raise CorruptArtefact where a part is missing."""
        try:
            self = cls(threads=threads, **state.parameters["settings"])
            described, graph = state.parameters["encoder"], state.graphs[ENCODER]
            self.encoder_ = Encoder.from_dict(described, graph, threads=threads)
            self.history_ = list(state.parameters.get("history", ()))
            layers = range(len(self.encoder_.cut))
            self.cells_ = Cells.from_arrays(state.arrays, len(layers))
            self.places_ = PlaceGaussians.from_arrays(state.arrays)
            self.wholes_ = [WholeGaussian.from_arrays(state.arrays, f"whole{i}") for i in layers]
        except (KeyError, TypeError, BadOption) as error:
            raise CorruptArtefact(f"The saved detector 'gaussian' cannot be used: {error}.") from error
        return self


def _pooled(maps: list[Array]) -> list[Array]:
    """Return mean and deviation (N, 2 C) of each layer (N, g, g, C)."""
    return [np.concatenate([layer.mean((1, 2)), layer.std((1, 2))], axis=1) for layer in maps]
