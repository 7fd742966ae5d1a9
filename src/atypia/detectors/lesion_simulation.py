"""Lesion simulation: a network that has learned to find lesions put into healthy scans finds real ones."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from atypia.detectors.base import Scores, State
from atypia.detectors.batch import Batch, PreparedSet, batches
from atypia.detectors.canvases import Canvases
from atypia.detectors.fit_context import FitContext
from atypia.detectors.healthy_atlas import Expected, HealthyAtlas, departure, enlarged, kept_places, reduced
from atypia.detectors.heat import highest
from atypia.detectors.lesion_channels import CHANNELS, channels
from atypia.detectors.lesion_examples import LesionExamples, apart_from_their_groups
from atypia.detectors.network_detector import NetworkDetector, Trained, check_settings
from atypia.detectors.reduced_set import ReducedSet
from atypia.errors import BadOption, CorruptArtefact
from atypia.lesions import LesionSettings
from atypia.networks.export import to_onnx
from atypia.networks.optimizer import one_cycle
from atypia.networks.segmenter import OUTPUTS, make_segmenter, make_segmenting_scorer
from atypia.networks.training import train
from atypia.networks.unet import WIDTHS, build_unet
from atypia.scan import Image

AT_ONCE = 64
AHEAD = 4
# Evidence beyond this is certainty.
SURE, FLOOR = 4.0, 12.0
# Where nothing departs the logarithm of the departure is that of this.
LEAST = 0.1


@final
class LesionSimulation(NetworkDetector):
    """A U-Net trained on healthy scans alone to mark lesions that were simulated in them.

    Segmenting simulated lesions: Zhang et al., "Self-supervised tumor segmentation with sim2real
    adaptation", 2021; for anomaly detection: Baugh et al., "Many tasks make light work: learning to localise
    medical anomalies from multiple synthetic tasks", MICCAI 2023. The lesions are those of
    `atypia.lesions`. The network sees the scan, its difference to its mirror image, and its departure from
    an atlas of the most alike healthy scans (`HealthyAtlas`), made before the lesion was put in.
    Map: the network's evidence, log p/(1-p), cut to -12 and 4 and smoothed, plus `atlas` times the logarithm
    of the atlas's own departure; in units of log odds, raised by 12, so that it is never negative.
    Score: the mean of the map's highest share `top` inside the brain.
    """

    name: ClassVar[str] = "lesion-simulation"
    settings: ClassVar[tuple[str, ...]] = (
        "steps",
        "batch_size",
        "learning_rate",
        "widths",
        "reduction",
        "retrieved",
        "atlas",
        "smoothing",
        "top",
        "bright",
        "ring",
        "tissue",
        "mass",
        "skull",
        "smallest",
        "faintest",
    )

    def __init__(
        self,
        threads: int | None = None,
        steps: int = 1000,
        batch_size: int = 16,
        learning_rate: float = 3e-3,
        widths: tuple[int, ...] = WIDTHS,
        reduction: int = 2,
        retrieved: int = 20,
        atlas: float = 0.8,
        smoothing: float = 2.0,
        top: float = 0.003,
        bright: float = 0.8,
        ring: float = 0.05,
        tissue: float = 0.1,
        mass: float = 0.1,
        skull: float = 0.055,
        smallest: float = 0.04,
        faintest: float = 0.12,
    ) -> None:
        self.threads = threads
        self.steps, self.batch_size, self.learning_rate = steps, batch_size, learning_rate
        self.widths, self.reduction, self.retrieved = widths, reduction, retrieved
        self.atlas, self.smoothing, self.top = atlas, smoothing, top
        self.bright, self.ring, self.tissue = bright, ring, tissue
        self.mass, self.skull = mass, skull
        self.smallest, self.faintest = smallest, faintest
        lowest: dict[str, float] = {
            "steps": 1,
            "batch_size": 1,
            "reduction": 1,
            "retrieved": 2,
            "atlas": 0,
            "smoothing": 0,
        }
        check_settings(self, lowest, ("top",))
        if not self.learning_rate > 0:
            raise BadOption(f"Expected learning_rate above 0; received {self.learning_rate}.")
        if not self.widths or min(self.widths) < 1:
            raise BadOption(f"Expected widths above 0; received {self.widths}.")
        usual = LesionSettings()
        for name, most in (("smallest", usual.radius[1]), ("faintest", usual.contrast[1])):
            if not 0 < getattr(self, name) <= most:
                raise BadOption(f"Expected {name} above 0, at most {most}; received {getattr(self, name)}.")
        self._lesions()

    def _side(self, size: int) -> int:
        """Return the side of the network's grid for scans of `size` pixels a side."""
        step: int = 2 ** len(self.widths)
        return max(1, round(size / self.reduction / step)) * int(step)

    def _lesions(self) -> LesionSettings:
        usual = LesionSettings()
        return replace(
            usual,
            bright=self.bright,
            ring=self.ring,
            tissue=self.tissue,
            mass=self.mass,
            skull=self.skull,
            radius=(self.smallest, usual.radius[1]),
            contrast=(self.faintest, usual.contrast[1]),
        )

    def _train(self, healthy: PreparedSet, context: FitContext) -> Trained:
        size = int(healthy.batch(np.arange(1)).pixels.shape[-1])
        canvases = Canvases(ReducedSet(healthy, self._side(size)), context.work / "canvases", 1)
        kept = kept_places(len(canvases), context.seed)
        self.atlas_ = HealthyAtlas.learn(
            (canvases.batch(kept[part]) for part in batches(len(kept), AT_ONCE)), self.retrieved
        )
        examples = LesionExamples(
            canvases,
            self._expected(canvases, context.groups, kept),
            self._lesions(),
            context.seed,
        )
        # Starting at zero the network would learn to see health, and could never be sure of a lesion.
        unet = build_unet(canvases.size, CHANNELS, 1, self.widths, context.seed, head="glorot_uniform")
        way, plan = self._plan(len(canvases), context, views=0, ahead=AHEAD)
        model = make_segmenter(unet, one_cycle(self.learning_rate, way.steps))
        history = train(model, examples, plan)
        return Trained(to_onnx(make_segmenting_scorer(unet), OUTPUTS), history)

    def _expected(self, canvases: Canvases, groups: tuple[str | None, ...], kept: NDArray[np.intp]) -> Image:
        """Return median and spread (N, 2, side, side) of what others than its own group show of each scan."""
        apart = apart_from_their_groups(len(canvases), groups)
        parts = []
        for part in batches(len(canvases), AT_ONCE):
            own = [np.flatnonzero(np.isin(kept, apart(int(place)))) for place in part]
            found = self.atlas_.expect(canvases.batch(part), own)
            parts.append(np.stack([found.median, found.spread], axis=1))
        return np.concatenate(parts)

    def score(self, batch: Batch) -> Scores:
        """Score prepared scans."""
        self._demand_trained()
        size = batch.pixels.shape[-1]
        side = self._side(size)
        tissue, brain = reduced(batch.tissue, side), reduced(batch.brain.astype(np.float32), side) > 0.5
        expected = self.atlas_.expect(batch)
        seen = channels(tissue, enlarged(expected.median, side), enlarged(expected.spread, side))
        evidence = np.clip(self._run({"channels": seen})[0], -FLOOR, SURE)
        evidence = ndimage.gaussian_filter(evidence, (0, *[self.smoothing * side / size] * 2))
        if self.atlas:
            evidence = evidence + np.float32(self.atlas) * _log_departure(expected, side)
        evidence = np.maximum(evidence + np.float32(FLOOR), 0)
        head = reduced(batch.foreground.astype(np.float32), side) > 0.5
        judged = brain | (head & ~brain.any((1, 2), keepdims=True))
        scores = highest(evidence, judged, self.top)
        return Scores(scores, enlarged(evidence, size) * batch.foreground)

    def state(self) -> State:
        """Return settings, history, graph and atlas."""
        state = super().state()
        return State(state.parameters, {**state.arrays, **self.atlas_.arrays()}, state.graphs)

    @classmethod
    def from_state(cls, state: State, threads: int | None = None) -> Self:
        """Rebuild; raise CorruptArtefact where a part is missing or makes no sense."""
        self = super().from_state(state, threads)
        try:
            self.atlas_ = HealthyAtlas.of_arrays(state.arrays, self.retrieved)
        except (KeyError, ValueError) as error:
            raise CorruptArtefact(f"The saved detector '{cls.name}' lacks its atlas: {error}.") from error
        return self


def _log_departure(expected: Expected, side: int) -> Image:
    """Return the logarithm of how far scans depart from their atlases, (N, side, side), two views weighed."""
    both, alone = enlarged(departure(expected), side), enlarged(expected.brighter, side)
    return np.asarray(np.log(both + LEAST) + np.float32(0.6) * np.log(alone + LEAST), np.float32)
