"""Ensemble: unlike detectors, brought to the same units by healthy scans kept aside, and combined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, logsumexp

from atypia.detectors.base import Detector, Scores, State
from atypia.detectors.batch import Batch, PreparedSet, batches
from atypia.detectors.fit_context import FitContext
from atypia.detectors.healthy_scale import MapScale, ScoreScale, sampled
from atypia.detectors.heat import highest_shares
from atypia.detectors.kept_maps import KeptMaps
from atypia.detectors.member_trial import Trial, try_members
from atypia.detectors.network_detector import NetworkDetector
from atypia.detectors.side_by_side import SideBySide, threads_of_each
from atypia.detectors.subset import Subset, kept_aside
from atypia.encoders.one_pass import one_pass
from atypia.errors import BadOption, CorruptArtefact, NotEnoughScans
from atypia.in_order import queued, threads
from atypia.processors import one_blas_thread, shared
from atypia.scan import Image

FEWEST = 20
AT_ONCE = 16
OF_SCORES = ("stouffer", "fisher", "harmonic", "max")
RULES = ("map", *OF_SCORES)
Array = NDArray[np.float64]
Places = NDArray[np.intp]


@final
class Ensemble(Detector):
    """Several detectors as one, calibrated and weighted on healthy scans alone.

    Whole groups of healthy scans, a share `aside` of all, are kept from the members. Their scores turn each
    member's scores into normal scores (`ScoreScale`), and their pixels each map into surprise (`MapScale`).
    Score, by `rule`: `map`, the mean of the highest share of the members' mean surprise inside the brain, so
    that what they say of one place counts for more than what they say of several; of the shares `tops`, one
    for small lesions and one for what changes much of a scan, each as a normal score, the highest counts (a
    scan statistic over scales, after Glaz, Naus, Wallenstein, "Scan statistics", 2001; the shares are ours).
    The others combine normal scores: `stouffer`, their sum over the square root of their number (Stouffer et
    al., "The American soldier", 1949; for p-values Whitlock 2005); `fisher`, minus twice the sum of the
    logarithms of the p-values (Fisher 1925), whose correlation (Brown 1975) rescales all scans alike and is
    left to the threshold; `harmonic`, minus the logarithm of the harmonic mean of the p-values (Wilson, "The
    harmonic mean p-value for combining dependent tests", PNAS 2019, equation 1); `max`, the highest.
    Map: the mean of the members' surprise, weighted by how well each finds lesions that are simulated in the
    scans kept aside (`Trial`), no label being asked for.
    """

    name: ClassVar[str] = "ensemble"

    def __init__(
        self,
        members: Sequence[Detector] = (),
        rule: str = "map",
        aside: float = 0.2,
        tops: tuple[float, ...] = (0.003, 0.1),
    ) -> None:
        self.members, self.rule, self.aside, self.tops = tuple(members), rule, aside, tuple(tops)
        self.threads = min((one.threads for one in self.members if one.threads is not None), default=None)
        if rule not in RULES:
            raise BadOption(f"Expected a rule out of {', '.join(RULES)}; received {rule!r}.")
        if not 0 < aside < 1:
            raise BadOption(f"Expected aside between 0 and 1; received {aside}.")
        if not self.tops or not all(0 < top <= 1 for top in self.tops):
            raise BadOption(f"Expected tops above 0, at most 1; received {tops}.")

    def fit(self, healthy: PreparedSet, context: FitContext) -> Self:
        """Fit the members; raise NotEnoughScans below 20 scans, and what a member raises."""
        if len(self.members) < 2:
            raise BadOption(f"Expected two members or more in an ensemble; received {len(self.members)}.")
        if len(healthy) < FEWEST:
            raise NotEnoughScans(
                f"The detector 'ensemble' needs at least {FEWEST} healthy scans, received {len(healthy)}."
            )
        learned, kept = kept_aside(len(healthy), context.groups, self.aside, context.seed)
        groups = tuple(context.groups[i] for i in learned) if context.groups else ()
        contexts = [
            replace(context, work=context.work / f"{place}-{member.name}", groups=groups)
            for place, member in enumerate(self.members)
        ]
        self._fit_members(Subset(healthy, learned), contexts)
        self._calibrate(Subset(healthy, kept), context.seed)
        return self

    def _fit_members(self, healthy: PreparedSet, contexts: Sequence[FitContext]) -> None:
        """Fit the members, those that train a network at once where that is faster."""
        trained = [place for place, one in enumerate(self.members) if isinstance(one, NetworkDetector)]
        others = [place for place in range(len(self.members)) if place not in trained]
        if contexts[0].processes and (each := threads_of_each(self.members)):
            networks = [one for one in self.members if isinstance(one, NetworkDetector)]
            beside = SideBySide(networks, healthy, [contexts[place] for place in trained], each)
            with beside.running():
                self._fit_each(others, healthy, contexts)
                fitted = dict(zip(trained, beside.fitted(), strict=True))
            self.members = tuple(fitted.get(place, one) for place, one in enumerate(self.members))
        else:
            # What trains comes last, so that weights that cannot be read are told before the long work.
            self._fit_each([*others, *trained], healthy, contexts)

    def _fit_each(self, places: Sequence[int], healthy: PreparedSet, contexts: Sequence[FitContext]) -> None:
        for place in places:
            self.members[place].fit(healthy, contexts[place])

    def _calibrate(self, aside: PreparedSet, seed: int) -> None:
        rng = np.random.default_rng((seed, 21))
        scores: list[list[Array]] = [[] for _ in self.members]
        values: list[list[Image]] = [[] for _ in self.members]
        share = shared(self.threads)
        with one_blas_thread(), threads(share.workers) as pool, KeptMaps() as kept:
            # Each with the threads of one worker, as in use.
            members = [one.with_threads(share.threads) for one in self.members]

            def scored(part: Places) -> tuple[Batch, list[Scores]]:
                batch = aside.batch(part)
                return batch, _each(members, batch)

            def highest(waiting: tuple[list[Image], Places]) -> Array:
                maps, part = waiting
                batch = aside.batch(part)
                places = _judged(batch)
                return self._highest(self._surprise(maps, places), places, batch)

            ahead = 1 + share.workers
            # Maps wait on disk for their scales: to score anew would take as long again.
            for batch, found in queued(scored, batches(len(aside), AT_ONCE), pool, ahead=ahead):
                kept.add([one.map for one in found])
                for place, one in enumerate(found):
                    scores[place].append(one.image)
                    values[place].append(sampled(rng, one.map, batch.foreground))
            each = [np.concatenate(own) for own in scores]
            self.score_scales_ = [ScoreScale.learn(own) for own in each]
            self.map_scales_ = [MapScale.learn(np.concatenate(v)) for v in values]
            waiting = zip(kept, batches(len(aside), AT_ONCE), strict=True)
            agreed = list(queued(highest, waiting, pool, ahead=ahead))
            self.joint_scales_ = [ScoreScale.learn(own) for own in np.concatenate(agreed, axis=1)]
            self.trials_ = try_members(members, self.map_scales_, aside, seed, each, pool)
        weights = np.array([trial.weight for trial in self.trials_])
        self.weights_ = (
            weights / weights.sum() if weights.sum() > 0 else np.full(len(weights), 1 / len(weights))
        )

    def score(self, batch: Batch) -> Scores:
        """Score prepared scans; near 0 for a healthy one, in units of one standard deviation of them."""
        self._demand_fitted()
        found = _each(self.members, batch)
        places = _judged(batch)
        surprise = self._surprise([one.map for one in found], places)
        if self.rule == "map":
            each = zip(self.joint_scales_, self._highest(surprise, places, batch), strict=True)
            scores = np.max([scale(values) for scale, values in each], axis=0)
        else:
            normal = [scale(one.image) for scale, one in zip(self.score_scales_, found, strict=True)]
            scores = combined(np.stack(normal), self.rule)
        told = np.zeros(len(places), np.float32)
        for weight, one in zip(self.weights_, surprise, strict=True):
            told += np.float32(weight) * one
        heat = _put(told, places, batch)
        pictures = [one.reconstruction for one in found if one.reconstruction is not None]
        return Scores(scores, heat * batch.foreground, pictures[0] if pictures else None)

    def _surprise(self, maps: Sequence[Image], places: Places) -> list[Image]:
        """Return what each member's maps (N, S, S) say at so many places, (P,), in surprise."""
        return [scale(one.take(places)) for scale, one in zip(self.map_scales_, maps, strict=True)]

    def _highest(self, surprise: Sequence[Image], places: Places, batch: Batch) -> Array:
        """Return (tops, N): the means of the highest shares, inside the brain, of the members' mean."""
        mean = np.zeros(len(places), np.float32)
        for one in surprise:
            mean += one / np.float32(len(surprise))
        judged = batch.brain | (batch.foreground & ~batch.brain.any((1, 2), keepdims=True))
        return highest_shares(_put(mean, places, batch), judged, self.tops)

    def _demand_fitted(self) -> None:
        if "weights_" not in self.__dict__:
            raise BadOption("This detector 'ensemble' has not been fitted: call fit, or load a saved one.")

    def state(self) -> State:
        """Return the members' states, the scales and the weights."""
        self._demand_fitted()
        arrays: dict[str, NDArray[Any]] = {}
        graphs: dict[str, bytes] = {}
        members: list[dict[str, Any]] = []
        for place, member in enumerate(self.members):
            own = member.state()
            arrays |= {f"{place}.{name}": values for name, values in own.arrays.items()}
            graphs |= {f"{place}.{name}": graph for name, graph in own.graphs.items()}
            members.append({"name": member.name, "parameters": own.parameters})
            scores, maps = self.score_scales_[place], self.map_scales_[place]
            arrays |= {f"{place}.scale.knots": scores.knots, f"{place}.scale.normal": scores.normal}
            arrays |= {f"{place}.map.knots": maps.knots, f"{place}.map.surprise": maps.surprise}
        for place, scale in enumerate(self.joint_scales_):
            arrays |= {f"joint{place}.knots": scale.knots, f"joint{place}.normal": scale.normal}
        parameters = {
            "settings": {
                "rule": self.rule,
                "aside": self.aside,
                "tops": list(self.tops),
                "members": [member.name for member in self.members],
            },
            "members": members,
            "trials": [trial.to_dict() for trial in self.trials_],
            "weights": self.weights_.tolist(),
        }
        return State(parameters, arrays, graphs)

    @classmethod
    def from_state(cls, state: State, threads: int | None = None) -> Self:
        """Rebuild; raise CorruptArtefact where a part is missing."""
        from atypia.detectors import DETECTORS

        try:
            settings, kept = state.parameters["settings"], state.parameters["members"]
            members = [
                DETECTORS[own["name"]].from_state(
                    State(own["parameters"], _of(state.arrays, place), _of(state.graphs, place)), threads
                )
                for place, own in enumerate(kept)
            ]
            self = cls(members, settings["rule"], settings["aside"], tuple(settings["tops"]))
            get = state.arrays.__getitem__
            self.score_scales_ = [
                ScoreScale(get(f"{i}.scale.knots"), get(f"{i}.scale.normal")) for i in range(len(members))
            ]
            self.map_scales_ = [
                MapScale(get(f"{i}.map.knots"), get(f"{i}.map.surprise")) for i in range(len(members))
            ]
            self.joint_scales_ = [
                ScoreScale(get(f"joint{i}.knots"), get(f"joint{i}.normal")) for i in range(len(self.tops))
            ]
            self.trials_ = [Trial.from_dict(values) for values in state.parameters["trials"]]
            self.weights_ = np.array(state.parameters["weights"], np.float64)
            if not len(members) == len(self.weights_) == len(self.trials_):
                raise ValueError(f"expected a weight and a trial for each of {len(members)} members")
        except (KeyError, TypeError, ValueError, AttributeError, BadOption) as error:
            raise CorruptArtefact(f"The saved detector 'ensemble' cannot be used: {error}.") from error
        return self


def combined(normal: Array, rule: str) -> Array:
    """Combine normal scores (members, N) to scores (N,); see `Ensemble` for the rules."""
    if rule == "stouffer":
        return np.asarray(normal.sum(axis=0) / np.sqrt(len(normal)))
    if rule == "max":
        return np.asarray(normal.max(axis=0))
    logarithms = log_ndtr(-normal.astype(np.float64))
    if rule == "fisher":
        return np.asarray(-2 * logarithms.sum(axis=0))
    return np.asarray(logsumexp(-logarithms, axis=0) - np.log(len(normal)))


def _each(members: Sequence[Detector], batch: Batch) -> list[Scores]:
    """Return what each member says; members on one encoder share its pass."""
    with one_pass():
        return [member.score(batch) for member in members]


def _judged(batch: Batch) -> Places:
    """Return the places (P,) of heads among all pixels of a batch, and all those of a scan without one."""
    heads = batch.foreground | batch.brain
    return np.flatnonzero(heads | ~heads.any((1, 2), keepdims=True))


def _put(values: Image, places: Places, batch: Batch) -> Image:
    """Return maps (N, S, S) with these values at their places, and 0 elsewhere."""
    maps = np.zeros(batch.pixels.shape, np.float32)
    maps.reshape(-1)[places] = values
    return maps


def _of(parts: dict[str, Any], place: int) -> dict[str, Any]:
    start = f"{place}."
    return {name.removeprefix(start): part for name, part in parts.items() if name.startswith(start)}
