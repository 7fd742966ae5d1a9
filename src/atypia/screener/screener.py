"""The Screener itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self, TypeVar

from atypia.artefact import Artefact, read_artefact, write_artefact
from atypia.detectors import DETECTORS, Batch, Detector, FitContext, Scores, State
from atypia.errors import AtypiaError, BadOption, CorruptArtefact
from atypia.fitness import Fitness
from atypia.in_order import queued, threads
from atypia.loading import Loaded, in_batches, load_by
from atypia.notice import RESEARCH_USE_ONLY
from atypia.onnx_session import check_graph
from atypia.preparation import Preparation
from atypia.processors import one_blas_thread, shared
from atypia.reading.collection import Collection, Row
from atypia.reading.cutting import WHOLE, Cutting
from atypia.scan import Finding, Scan
from atypia.scratch import Scratch
from atypia.screener.calibration import BATCH, calibrate, rehearse
from atypia.screener.fit_report import FitReport
from atypia.screener.fitness_parts import packed, reasons, unpacked
from atypia.screener.healthy_map import HealthyMap
from atypia.screener.healthy_scans import HealthyScans
from atypia.screener.judging import Judge, Judged
from atypia.screener.learned_files import LEARNED_FILES, NONE, Fingerprints, checked, fingerprints
from atypia.screener.origin import are_apart, check_strata, planes_of, strip_of, volume_of
from atypia.screener.parting import Scans, part_scans
from atypia.screener.position_scale import PositionScale, unplaced
from atypia.screener.prepared_folder import PreparedFolder, prepare_to_folder
from atypia.screener.provenance import provenance_of, without_times
from atypia.threshold import Threshold, check_rule

Of = TypeVar("Of", Finding, Judged)
_Judging = Callable[[Sequence[Loaded], Scores | None, Sequence[str | None] | None], Iterator[Of]]


@dataclass
class Screener:
    """Finds abnormal scans after having seen healthy ones.

    With `fitness` it also learns what scans look like by acquisition, and judges none that looks otherwise.
    `by_position` compares slices of volumes with healthy slices of the same position; by default where what
    is kept aside are slices of volumes of enough patients. Scores are then standard deviations.
    `planes_` are those of the scans learned from, where they are known: volumes are to be cut in them.
    `strip_` is how the skull was taken off the volumes learned from, `volume_` which of those in one file.
    `records` keeps what audits and evaluations found, for its model card.

    >>> Screener(rule="quantile", parameter=0.95).rule
    'quantile'
    """

    detector: Detector = field(default_factory=lambda: DETECTORS["autoencoder"]())
    preparation: Preparation = field(default_factory=Preparation)
    rule: str = "mean+std"
    parameter: float | None = None
    strata: tuple[str, ...] = ()
    fitness: bool = True
    by_position: bool | None = None
    threshold_: Threshold | None = None
    healthy_map_: HealthyMap | None = None
    fitness_: Fitness | None = None
    position_scale_: PositionScale | None = None
    planes_: tuple[str, ...] = ()
    strip_: str = WHOLE
    volume_: str | None = None
    report_: FitReport | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    records: dict[str, Any] = field(default_factory=dict)
    learned_files_: Fingerprints = field(default_factory=NONE.copy)
    threads_: int | None = None

    def __post_init__(self) -> None:
        check_rule(self.rule, self.parameter)
        check_strata(self.strata)

    def fit(
        self,
        scans: Scans,
        *,
        calibration: Scans | None = None,
        labelled: Collection | None = None,
        seed: int = 0,
        work: Path | None = None,
        resume: bool = False,
        processes: bool = False,
    ) -> Self:
        """Learn from healthy scans, then calibrate on healthy scans that the detector has not seen.

        A collection with splits gives its `train` rows to the detector and its `threshold` rows to the
        threshold. Else a fifth, whole groups together, is set aside for calibration.
        `labelled` is a mixed validation set that is reported and never chooses anything.
        `work` keeps checkpoints for `resume`; without it nothing outlives the call.
        With `processes` networks of an ensemble may be trained at once, each in a process of its own, which
        imports the main module anew: a script must then begin its work under `if __name__ == "__main__"`.
        Raises NotEnoughScans below 20 usable scans, BadTable where abnormal ones are among them.
        """
        # What an earlier fit learned does not belong to the detector any more, even if this one fails.
        self.threshold_ = self.healthy_map_ = self.report_ = self.fitness_ = self.position_scale_ = None
        train, held_out = part_scans(scans, calibration, seed)
        with Scratch() as temporary:
            folder = work or Path(temporary)
            healthy = HealthyScans.read(train, held_out, self.preparation, folder)
            by = (self.strata, healthy.aside.positions, self.by_position)
            rehearse(self.rule, self.parameter, healthy.sources, *by)
            fitness = self._learned_fitness(healthy, seed)
            of_labelled = self._labelled(labelled, folder)
            context = FitContext(folder, seed, resume, of_labelled, healthy.groups, processes)
            self.detector.fit(healthy.learned, context)
            self._calibrate(healthy)
        self.fitness_ = fitness
        self._note(healthy, seed)
        return self

    def _learned_fitness(self, healthy: HealthyScans, seed: int) -> Fitness | None:
        if not self.fitness:
            return None
        apart = are_apart(healthy.train, healthy.held_out)
        return Fitness.learn(healthy.learned, healthy.aside, seed=seed, apart=apart)

    def _calibrate(self, healthy: HealthyScans) -> None:
        """Learn the threshold, and what maps are like, from the healthy scans kept aside."""
        self.threshold_, self.healthy_map_, self.position_scale_ = calibrate(
            self.detector,
            healthy.aside,
            self.rule,
            self.parameter,
            sources=healthy.sources,
            strata=self.strata,
            positions=healthy.aside.positions,
            by_position=self.by_position,
        )

    def _note(self, healthy: HealthyScans, seed: int) -> None:
        """Note what was learned from, and how that was read."""
        names = tuple((item.name, str(item.error)) for item in healthy.failed)
        why_unplaced = unplaced(self.by_position, healthy.aside.positions, healthy.sources)
        self.report_ = FitReport(len(healthy.learned), len(healthy.aside), names, why_unplaced)
        train = healthy.train
        self.planes_, self.strip_, self.volume_ = planes_of(train), strip_of(train), volume_of(train)
        self.provenance = provenance_of(self.report_, grouped=healthy.grouped, seed=seed)
        self.records = {}
        self.learned_files_ = fingerprints([*train, *healthy.held_out])

    def _labelled(self, collection: Collection | None, folder: Path) -> PreparedFolder | None:
        if collection is None or not len(collection):
            return None
        prepared, _ = prepare_to_folder(
            collection.rows, self.preparation, folder / "labelled", label="reading the validation set"
        )
        return prepared if len(prepared) else None

    def score(
        self,
        scans: Scans | Iterable[Row | Scan],
        *,
        heatmaps: bool = True,
        pictures: bool = False,
        judge_all: bool = False,
        p_maps: bool = False,
    ) -> Iterator[Finding]:
        """Yield one Finding for each scan, in order; one that cannot be judged says why in `error`.

        `heatmaps` carries the map back to the pixels of the input; `pictures` adds what the detector
        saw and, where it has such a picture, what it expected; `p_maps` adds how unusual each pixel is.
        Memory does not grow with the scans.
        A scan that was not taken like those learned from says so in `unfit`, unless `judge_all`.
        Raises BadOption before a fit.
        """
        judge = Judge(self._fitted, heatmaps, pictures, self.healthy_map_, self.position_scale_, p_maps)
        return self._each(scans, judge.findings, judge_all)

    def judge(
        self, scans: Iterable[Row | Scan], *, judge_all: bool = False, kept: int = 0
    ) -> Iterator[Judged]:
        """Do as `score`, but yield with each Finding what its maps are made of, so that they can wait.

        Of pictures of up to `kept` pixels the pixels are kept as well.
        """
        judge = Judge(self._fitted, False, False, self.healthy_map_, self.position_scale_)
        return self._each(scans, judge.judged, judge_all, kept)

    def _each(
        self, scans: Scans | Iterable[Row | Scan], judging: _Judging[Of], judge_all: bool, kept: int = 0
    ) -> Iterator[Of]:
        """Read and score in the same threads, so that there are never more at work than were asked for."""
        fitness = None if judge_all else self.fitness_

        def of_batch(read: tuple[list[Loaded], Batch | None]) -> list[Of]:
            part, batch = read
            if batch is None:
                return list(judging(part, None, None))
            unfit = None if fitness is None else reasons(fitness, batch, part)
            return list(judging(part, self.detector.score(batch), unfit))

        workers = shared(self.threads_).workers
        with one_blas_thread(), threads(workers) as pool:
            read = in_batches(load_by(pool, scans, self.preparation, kept), BATCH)
            for part in queued(of_batch, read, pool, ahead=1 + workers):
                yield from part

    @property
    def cutting(self) -> Cutting:
        """How volumes are to become slices for this Screener."""
        return Cutting(self.planes_, self.strip_, self.volume_)

    @property
    def _fitted(self) -> Threshold:
        if self.threshold_ is None:
            raise BadOption("This Screener has not been fitted: call fit, or load a saved one.")
        return self.threshold_

    @property
    def _fitted_map(self) -> HealthyMap:
        if self.healthy_map_ is None:
            raise BadOption("This Screener has not been fitted: call fit, or load a saved one.")
        return self.healthy_map_

    def save(self, path: Path) -> None:
        """Save as one file; raise OutputError, leaving an older file as it was."""
        threshold, healthy_map, state = self._fitted, self._fitted_map, self.detector.state()
        fitness, of_fitness = packed(self.fitness_)
        head = {
            "atypia": version("atypia"),
            "preparation": self.preparation.to_dict(),
            "detector": {"name": self.detector.name, "parameters": without_times(state.parameters)},
            "threshold": threshold.to_dict(),
            "healthy_map": healthy_map.to_dict(),
            "fitness": fitness,
            "position_scale": None if self.position_scale_ is None else self.position_scale_.to_dict(),
            "planes": list(self.planes_),
            "strip": self.strip_,
            "volume": self.volume_,
            "provenance": self.provenance,
            "records": self.records,
        }
        arrays = {**state.arrays, **of_fitness, LEARNED_FILES: self.learned_files_}
        write_artefact(Artefact(head, arrays, state.graphs), path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a saved Screener; raise CorruptArtefact or NewerArtefact."""
        artefact = read_artefact(path)
        try:
            for name, graph in artefact.graphs.items():
                check_graph(graph, f"graphs/{name}.onnx")
            return cls._from_artefact(artefact)
        except CorruptArtefact as error:
            raise CorruptArtefact(f"{path}: {error}") from error
        except AtypiaError:
            raise
        except Exception as error:  # values that no Screener has draw almost any exception
            raise CorruptArtefact(
                f"{path}: the saved Screener lacks a part or has an unknown one: {error}."
            ) from error

    @classmethod
    def _from_artefact(cls, artefact: Artefact) -> Self:
        head = artefact.head
        kind = DETECTORS[head["detector"]["name"]]
        fitness, arrays = unpacked(head.get("fitness"), artefact.arrays)
        learned_files = arrays.pop(LEARNED_FILES, NONE)
        state, each = State(head["detector"]["parameters"], arrays, artefact.graphs), shared(None).threads
        threshold, scale = Threshold.from_dict(head["threshold"]), head.get("position_scale")
        return cls(
            detector=kind.from_state(state, each),
            preparation=Preparation.from_dict(head["preparation"]),
            rule=threshold.rule,
            parameter=threshold.parameter,
            strata=threshold.strata,
            fitness=fitness is not None,
            threshold_=threshold,
            healthy_map_=HealthyMap.from_dict(head["healthy_map"]),
            fitness_=fitness and fitness.with_threads(each),
            position_scale_=None if scale is None else PositionScale.from_dict(scale),
            planes_=tuple(head.get("planes", ())),
            strip_=str(head.get("strip", WHOLE)),
            volume_=None if head.get("volume") is None else str(head["volume"]),
            provenance=dict(head["provenance"]),
            records=dict(head.get("records", {})),
            learned_files_=checked(learned_files),
        )

    @property
    def heat_scale(self) -> tuple[float, float]:
        """Up to where a picture of the map leaves the scan clear, and from where it glows in full."""
        return self._fitted_map.heat_scale

    @property
    def refused(self) -> tuple[int, float] | None:
        """The number of groups that set the limits of fitness, and the share of healthy scans left out.

        None where nothing of this was learned.
        """
        if self.fitness_ is None:
            return None
        calibration, fitness = self._fitted.calibration, self.fitness_
        return calibration.group_count, min(fitness.left_out / (fitness.learned + len(calibration)), 1.0)

    def use_threads(self, threads: int | None) -> None:
        """Score with at most so many threads, for reading, networks and all else; None: all processors."""
        each = shared(threads).threads
        self.threads_ = threads
        self.detector = self.detector.from_state(self.detector.state(), each)
        self.fitness_ = self.fitness_ and self.fitness_.with_threads(each)

    def card(self) -> dict[str, dict[str, Any]]:
        """Return what there is to know of this Screener, as a table for each part."""
        threshold, parameters = self._fitted, self.detector.state().parameters
        settings = parameters.get("recipe") or parameters.get("settings") or {}
        encoder = parameters.get("encoder") or {}
        return {
            "detector": {"name": self.detector.name, **settings},
            "encoder": {k: encoder[k] for k in ("name", "cut", "fingerprint") if k in encoder},
            "preparation": self.preparation.to_dict(),
            "threshold": threshold.card(),
            "position": {} if self.position_scale_ is None else self.position_scale_.card(),
            "regions": self._fitted_map.card(),
            "fitness": {} if self.fitness_ is None else self.fitness_.card(),
            "provenance": self.provenance,
            "notice": {"use": RESEARCH_USE_ONLY},
        }

    def with_threshold(
        self, rule: str, parameter: float | None, strata: Sequence[str] | None = None
    ) -> Screener:
        """Return this Screener with another rule on the same healthy scores; nothing is fitted anew.

        `strata` stay as they are unless given. Raises BadOption and NotEnoughScans as `Threshold.learn`.
        """
        kept = tuple(self.strata if strata is None else strata)
        check_strata(kept)
        threshold = Threshold.of(self._fitted.calibration, rule, parameter, kept)
        return replace(self, rule=rule, parameter=parameter, strata=kept, threshold_=threshold)
