"""PatchCore: how far each patch is from a bounded bank of healthy patches near the same place."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self, final, get_args

import numpy as np
from numpy.typing import NDArray

from atypia.detectors.adapting import check_adapt
from atypia.detectors.base import Detector, Scores, State
from atypia.detectors.batch import Batch, PreparedSet, batches
from atypia.detectors.cells import Cells
from atypia.detectors.encoded_examples import EncodedExamples
from atypia.detectors.encoded_healthy import EncodedHealthy
from atypia.detectors.fit_context import FitContext
from atypia.detectors.heat import cells_of_heads, highest, to_cells, to_pixels
from atypia.detectors.patch_bank import CANDIDATES, PatchBank, coreset, places_in, squares
from atypia.detectors.whole_scan import WholeScan, poolings
from atypia.encoders import Encoder
from atypia.errors import BadOption, CorruptArtefact, NotEnoughScans

Array = NDArray[np.float32]
Pooling = Literal["top", "reweighted"]
FEWEST = 10
AT_ONCE = 32
ENCODER = "encoder"


@final
class PatchCore(Detector):
    """Distance of patch features to a coreset of healthy ones.

    After Roth et al., "Towards total recall in industrial anomaly detection", CVPR 2022: locally averaged
    features of a frozen encoder, a bank chosen greedily (equation 5). Ours: features whitened and compared by
    cosine; only with members at most `reach` cells away (None: anywhere, as in the paper), for heads lie
    alike on the canvas; and, with `retrieved` above 0, only of so many most alike healthy scans.
    The bank is chosen within squares of 4x4 cells and never holds more than `bank` patches: 2 * `bank` *
    D bytes, D being `components` for each of the `scales`.
    Map: the cosine distance to the nearest member, in [0, 2]. Score with `score` "top": the mean of the
    highest share `top` of the head's cells; "reweighted": the distance of the farthest patch as equation 7
    weighs it, by how common the nearest member is among its `neighbours`.
    With `adapt` above 0 the encoder is first trained on, for so many steps, on the healthy scans (`adapted`).
    """

    name: ClassVar[str] = "patchcore"

    def __init__(
        self,
        encoder: str = "auto",
        weights: Path | None = None,
        threads: int | None = None,
        scales: int = 2,
        components: int = 64,
        bank: int = 20_000,
        reach: int | None = 2,
        retrieved: int = 0,
        score: Pooling = "top",
        top: float = 0.02,
        neighbours: int = 9,
        adapt: int = 0,
    ) -> None:
        self.encoder, self.weights, self.threads = encoder, weights, threads
        self.scales, self.components, self.bank, self.reach = scales, components, bank, reach
        self.retrieved, self.pooling, self.top, self.neighbours = retrieved, score, top, neighbours
        self.adapt = adapt
        self._check()

    def _check(self) -> None:
        lowest = {"scales": 1, "components": 1, "bank": 1, "retrieved": 0, "neighbours": 2}
        if self.reach is not None:
            lowest["reach"] = 0
        for name, least in lowest.items():
            if not getattr(self, name) >= least:
                raise BadOption(f"Expected {name} of at least {least}; received {getattr(self, name)}.")
        if not 0 < self.top <= 1:
            raise BadOption(f"Expected top in (0, 1]; received {self.top}.")
        if self.pooling not in get_args(Pooling):
            raise BadOption(f"Expected score top or reweighted; received {self.pooling}.")
        check_adapt(self.adapt, self.encoder)

    def fit(self, healthy: PreparedSet, context: FitContext) -> Self:
        """Fill the bank; raise NotEnoughScans below 10 scans, BadOption for scales that are not there."""
        if len(healthy) < FEWEST:
            raise NotEnoughScans(
                f"The detector 'patchcore' needs at least {FEWEST} healthy scans, received {len(healthy)}."
            )
        encoded = EncodedHealthy.of(
            healthy, context, self.encoder, self.weights, self.threads, scales=self.scales, adapt=self.adapt
        )
        self.encoder_, examples, self.history_ = encoded.encoder, encoded.examples, encoded.history
        self.cells_ = Cells.learn(examples, self.components, context.seed)
        rng = np.random.default_rng((context.seed, 5))
        scans = np.sort(rng.permutation(len(healthy))[:CANDIDATES])
        self.bank_ = self._filled(examples, scans, rng)
        if self.retrieved:
            self._remember(examples, scans)
        return self

    def _filled(
        self, examples: EncodedExamples, scans: NDArray[np.intp], rng: np.random.Generator
    ) -> PatchBank:
        """Return the bank: in each square of cells the coreset of its candidates."""
        drawn: list[list[NDArray[np.float16]]] = []
        places: list[list[NDArray[np.intp]]] = []
        grid, most = 0, -(-CANDIDATES // len(scans))
        for part in batches(len(scans), AT_ONCE):
            cells = self.cells_(examples.get(scans[part], 0)[0]).astype(np.float16)
            grid = cells.shape[1]
            for number, square in enumerate(squares(grid)):
                if number == len(drawn):
                    drawn.append([])
                    places.append([])
                where = _candidates(square, len(part), most, rng)
                own = np.arange(len(part))[:, None]
                drawn[number].append(cells[own, where[..., 0], where[..., 1]])
                places[number].append(where)
        share = max(1, self.bank // len(places))
        chosen = [
            _chosen(np.concatenate(kept), np.concatenate(where), share, rng)
            for kept, where in zip(drawn, places, strict=True)
        ]
        members, where, whose = (np.concatenate(parts) for parts in zip(*chosen, strict=True))
        return PatchBank(members, where.astype(np.int16), whose.astype(np.int32), grid, self.reach)

    def _remember(self, examples: EncodedExamples, scans: NDArray[np.intp]) -> None:
        """Keep the vectors of the bank's scans, to find those most like a new one."""
        parts = [poolings(examples.get(scans[part], 0)[0][-1]) for part in batches(len(scans), AT_ONCE)]
        pooled = [np.concatenate(kind) for kind in zip(*parts, strict=True)]
        self.whole_ = WholeScan.learn(pooled, 2 * self.components)
        self.alike_ = self.whole_(pooled)

    def score(self, batch: Batch) -> Scores:
        """Score prepared scans: cosine distances, near 0 for what the bank holds, at most 2."""
        self._demand_fitted()
        maps = self.encoder_(batch.pixels)
        cells = self.cells_(maps)
        allowed = self._allowed(maps) if self.retrieved else None
        wanted = cells_of_heads(batch.foreground, self.bank_.grid)
        likeness, which = self.bank_.nearest(cells, allowed, wanted)
        heat = 1 - likeness
        heads = to_cells(batch.foreground, self.bank_.grid)
        if self.pooling == "top":
            image = highest(heat, heads, self.top)
        else:
            image = np.array(
                [self._reweighted(*one) for one in zip(cells, heat, which, heads, strict=True)], np.float64
            )
        return Scores(image, to_pixels(heat, batch.foreground))

    def _allowed(self, maps: list[Array]) -> NDArray[np.bool_]:
        """Return (N, scans): which healthy scans each scan is most like."""
        likeness = self.whole_(poolings(maps[-1])) @ self.alike_.T
        order = np.argsort(-likeness, axis=1, kind="stable")[:, : self.retrieved]
        allowed = np.zeros(likeness.shape, bool)
        np.put_along_axis(allowed, order, True, axis=1)
        return allowed

    def _reweighted(
        self, cells: Array, heat: Array, which: NDArray[np.intp], head: NDArray[np.bool_]
    ) -> float:
        """Return the distance of the farthest patch times its weight (equation 7), distances Euclidean."""
        inside = np.where(head, heat, -1) if head.any() else heat
        row, column = np.unravel_index(int(inside.argmax()), inside.shape)
        patch, members = cells[row, column], self.bank_.members
        near = self.bank_.near(int(row), int(column))
        alike = members[near].astype(np.float32) @ members[which[row, column]].astype(np.float32)
        fellows = near[np.argsort(-alike, kind="stable")[: self.neighbours]]
        apart = np.linalg.norm(patch - members[fellows].astype(np.float32), axis=1)
        own = np.linalg.norm(patch - members[which[row, column]].astype(np.float32))
        weight = 1 - 1 / np.exp(apart - own).sum()
        return float(weight * own)

    def _demand_fitted(self) -> None:
        if not hasattr(self, "bank_"):
            raise BadOption("This detector 'patchcore' has not been fitted: call fit, or load a saved one.")

    def state(self) -> State:
        """Return settings, encoder and bank."""
        self._demand_fitted()
        names = ("scales", "components", "bank", "reach", "retrieved", "top", "neighbours", "adapt")
        settings = {name: getattr(self, name) for name in names} | {"score": self.pooling}
        arrays = self.cells_.arrays() | self.bank_.arrays()
        if self.retrieved:
            arrays |= self.whole_.arrays() | {"alike": self.alike_}
        parameters: dict[str, Any] = {
            "settings": settings,
            "encoder": self.encoder_.to_dict(),
            "grid": self.bank_.grid,
        }
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
            self.cells_ = Cells.from_arrays(state.arrays, len(self.encoder_.cut))
            self.bank_ = PatchBank.from_arrays(state.arrays, state.parameters["grid"], self.reach)
            if self.retrieved:
                self.whole_, self.alike_ = WholeScan.from_arrays(state.arrays), state.arrays["alike"]
        except (KeyError, TypeError, BadOption) as error:
            raise CorruptArtefact(f"The saved detector 'patchcore' cannot be used: {error}.") from error
        return self


def _candidates(
    square: tuple[slice, slice], scans: int, most: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Return the places (scans, P, 2) in a square that each scan gives as candidates, at most `most`."""
    places = places_in(*square)
    drawn = rng.random((scans, len(places))).argsort(axis=1)[:, :most]
    return np.asarray(places[np.sort(drawn, axis=1)])


def _chosen(
    cells: NDArray[np.float16], places: NDArray[np.intp], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float16], NDArray[np.intp], NDArray[np.intp]]:
    """Return the coreset of one square's candidates (scans, P, D), with its places and scans."""
    each, width = cells.shape[1:]
    kept = coreset(cells.reshape(-1, width).astype(np.float32), count, rng)
    return cells.reshape(-1, width)[kept], places.reshape(-1, 2)[kept], kept // each
