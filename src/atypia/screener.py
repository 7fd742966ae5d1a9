"""The Screener: preparation, detector and threshold; the one thing that is fitted, saved, loaded and served."""

from __future__ import annotations

import math
import platform
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from atypia.artefact import Artefact, read_artefact, write_artefact
from atypia.detectors import DETECTORS, Detector, FitContext, State
from atypia.detectors.base import Batch, Scores
from atypia.errors import BadOption, BadTable, CorruptArtefact, NotEnoughScans
from atypia.loading import Loaded, in_batches, load, prepare_to_folder, scratch
from atypia.notice import RESEARCH_USE_ONLY
from atypia.preparation import Preparation
from atypia.progress import progress
from atypia.reading.collection import Collection, Row
from atypia.scan import Finding, Scan
from atypia.threshold import Threshold, check_rule

FEWEST = 20
CALIBRATION_SHARE = 0.2
BATCH = 16
PIXELS_PER_SCAN = 2000
PIXEL_QUANTILE = 0.995

Scans = Collection | Sequence[Scan]


@dataclass(frozen=True)
class HealthyMap:
    """How the map looks on healthy calibration scans, inside the head, in the detector's units.

    `threshold` is the 99.5th percentile of its pixels: what is above is unusual for a healthy scan.
    """

    median: float
    threshold: float

    @property
    def heat_scale(self) -> tuple[float, float]:
        """Up to where a picture leaves the scan clear, and from where it glows in full.

        The same for all scans, so that a healthy brain does not glow like a sick one.
        """
        return self.threshold, self.threshold + max(self.threshold - self.median, 1e-12)


@dataclass(frozen=True)
class FitReport:
    """What a fit used: counts of scans, and the names and errors of those that could not be read."""

    train: int
    calibration: int
    unreadable: tuple[tuple[str, str], ...] = ()


@dataclass
class Screener:
    """Finds abnormal scans after having seen healthy ones.

    >>> Screener(rule="quantile", parameter=0.95).rule
    'quantile'
    """

    detector: Detector = field(default_factory=lambda: DETECTORS["autoencoder"]())
    preparation: Preparation = field(default_factory=Preparation)
    rule: str = "mean+std"
    parameter: float | None = None
    threshold_: Threshold | None = None
    healthy_map_: HealthyMap | None = None
    report_: FitReport | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_rule(self.rule, self.parameter)

    def fit(
        self,
        scans: Scans,
        *,
        calibration: Scans | None = None,
        labelled: Collection | None = None,
        seed: int = 0,
        work: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Learn from healthy scans, then calibrate on healthy scans that the detector has not seen.

        A collection with splits gives its `train` rows to the detector and its `threshold` rows to the
        threshold. Else a fifth, whole groups together, is set aside for calibration.
        `labelled` is a mixed validation set that is reported and never chooses anything.
        `work` keeps checkpoints for `resume`; without it nothing outlives the call.
        Raises NotEnoughScans below 20 usable scans, BadTable where abnormal ones are among them.
        """
        train, held_out = self._parts(scans, calibration, seed)
        with scratch() as temporary:
            folder = work or Path(temporary)
            prepared, failed = prepare_to_folder(
                list(train), self.preparation, folder / "train", "reading healthy scans"
            )
            self._enough(len(prepared), len(held_out), failed)
            context = FitContext(folder, seed, resume, self._labelled(labelled, folder))
            self.detector.fit(prepared, context)
            unjudged = self._calibrate(held_out)
        names = tuple((item.name, str(item.error)) for item in (*failed, *unjudged))
        assert self.threshold_ is not None
        self.report_ = FitReport(len(prepared), len(self.threshold_.healthy), names)
        self.provenance = _provenance(scans, seed, self.report_)
        return self

    def _parts(
        self, scans: Scans, calibration: Scans | None, seed: int
    ) -> tuple[Sequence[Row | Scan], Sequence[Row | Scan]]:
        if calibration is not None:
            return list(scans), list(calibration)
        if isinstance(scans, Collection):
            return _split_rows(scans, seed)
        order = np.random.default_rng((seed, 3)).permutation(len(scans))
        kept = math.ceil(CALIBRATION_SHARE * len(scans))
        return [scans[i] for i in order[kept:]], [scans[i] for i in order[:kept]]

    def _enough(self, train: int, held_out: int, failed: list[Loaded]) -> None:
        if train + held_out >= FEWEST:
            return
        told = "".join(f"\n  {item.error}" for item in failed[:5])
        raise NotEnoughScans(
            f"Expected at least {FEWEST} usable healthy scans, received {train + held_out} "
            f"({len(failed)} could not be read). Give a folder or table with more.{told}"
        )

    def _labelled(self, collection: Collection | None, folder: Path) -> tuple[Any, NDArray[np.bool_]] | None:
        if collection is None or not len(collection):
            return None
        prepared, failed = prepare_to_folder(
            collection.rows, self.preparation, folder / "labelled", "reading the validation set"
        )
        lost = {item.name for item in failed}
        labels = [row.label == "abnormal" for row in collection if row.name not in lost]
        return (prepared, np.array(labels)) if labels else None

    def _calibrate(self, held_out: Sequence[Row | Scan]) -> list[Loaded]:
        """Learn the threshold and the healthy map from scans scored just as they will be in use."""
        rng = np.random.default_rng(0)
        scores: list[float] = []
        pixels: list[NDArray[np.float32]] = []
        failed: list[Loaded] = []
        loaded = progress(load(held_out, self.preparation), total=len(held_out), label="calibrating")
        for part, batch in in_batches(loaded, BATCH):
            failed += [item for item in part if item.prepared is None]
            if batch is None:
                continue
            result = self.detector.score(batch)
            scores += result.image.tolist()
            for heat, head in zip(result.map, batch.foreground, strict=True):
                pixels.append(rng.choice(heat[head], PIXELS_PER_SCAN))
        self.threshold_ = Threshold.learn(scores, self.rule, self.parameter)
        everything = np.concatenate(pixels)
        self.healthy_map_ = HealthyMap(
            float(np.median(everything)), float(np.quantile(everything, PIXEL_QUANTILE))
        )
        return failed

    def score(
        self, scans: Scans | Iterable[Row | Scan], *, heatmaps: bool = True, pictures: bool = False
    ) -> Iterator[Finding]:
        """Yield one Finding for each scan, in order; one that cannot be judged says why in `error`.

        `heatmaps` carries the map back to the pixels of the input; `pictures` adds what the detector
        saw and, where it has such a picture, what it expected. Memory does not grow with the scans.
        """
        if self.threshold_ is None:
            raise BadOption("This Screener has not been fitted: call fit, or load a saved one.")
        for part, batch in in_batches(load(scans, self.preparation), BATCH):
            result = self.detector.score(batch) if batch is not None else None
            yield from self._findings(part, batch, result, heatmaps, pictures)

    def _findings(
        self, part: list[Loaded], batch: Batch | None, result: Scores | None, heatmaps: bool, pictures: bool
    ) -> Iterator[Finding]:
        threshold = self._fitted
        value, place = threshold.value, 0
        for item in part:
            if item.prepared is None or result is None or batch is None:
                yield Finding(item.name, math.nan, math.nan, None, value, error=str(item.error))
                continue
            score = float(result.image[place])
            if not math.isfinite(score):
                yield Finding(
                    item.name, math.nan, math.nan, None, value, error="The detector gave no finite score."
                )
                place += 1
                continue
            expected = result.reconstruction
            yield Finding(
                item.name,
                score,
                float(threshold.p_values(score)),
                bool(threshold.flags(score)),
                value,
                heatmap=item.prepared.geometry.to_input(result.map[place]) if heatmaps else None,
                reconstruction=expected[place] if pictures and expected is not None else None,
                prepared=item.prepared.pixels if pictures else None,
            )
            place += 1

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
        state = self.detector.state()
        head = {
            "atypia": version("atypia"),
            "preparation": self.preparation.to_dict(),
            "detector": {"name": self.detector.name, "parameters": state.parameters},
            "threshold": self._fitted.to_dict(),
            "healthy_map": asdict(self._fitted_map),
            "provenance": self.provenance,
        }
        write_artefact(Artefact(head, state.arrays, state.graphs), path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a saved Screener; raise CorruptArtefact or NewerArtefact."""
        artefact = read_artefact(path)
        head = artefact.head
        try:
            kind = DETECTORS[head["detector"]["name"]]
            state = State(head["detector"]["parameters"], artefact.arrays, artefact.graphs)
            threshold = Threshold.from_dict(head["threshold"])
            return cls(
                detector=kind.from_state(state),
                preparation=Preparation.from_dict(head["preparation"]),
                rule=threshold.rule,
                parameter=threshold.parameter,
                threshold_=threshold,
                healthy_map_=HealthyMap(**head["healthy_map"]),
                provenance=dict(head["provenance"]),
            )
        except (KeyError, TypeError) as error:
            raise CorruptArtefact(
                f"{path}: the saved Screener lacks a part or has an unknown one: {error}."
            ) from error

    @property
    def heat_scale(self) -> tuple[float, float]:
        """Up to where a picture of the map leaves the scan clear, and from where it glows in full."""
        return self._fitted_map.heat_scale

    def use_threads(self, threads: int | None) -> None:
        """Bound the threads of the networks; None leaves it to ONNX Runtime."""
        self.detector = self.detector.from_state(self.detector.state(), threads)

    def card(self) -> dict[str, dict[str, Any]]:
        """Return what there is to know of this Screener, as a table for each part."""
        parameters = self.detector.state().parameters
        threshold = self._fitted
        settings = parameters.get("recipe") or parameters.get("settings") or {}
        encoder = parameters.get("encoder") or {}
        return {
            "detector": {"name": self.detector.name, **settings},
            "encoder": {k: encoder[k] for k in ("name", "cut", "fingerprint") if k in encoder},
            "preparation": self.preparation.to_dict(),
            "threshold": {"rule": threshold.rule, "parameter": threshold.parameter, "value": threshold.value},
            "provenance": self.provenance,
            "notice": {"use": RESEARCH_USE_ONLY},
        }

    def with_threshold(self, rule: str, parameter: float | None) -> Screener:
        """Return this Screener with another rule on the same healthy scores; nothing is fitted anew."""
        threshold = Threshold.learn(self._fitted.healthy, rule, parameter)
        return replace(self, rule=rule, parameter=parameter, threshold_=threshold)


def _split_rows(scans: Collection, seed: int) -> tuple[Sequence[Row], Sequence[Row]]:
    from atypia.datasets.split import calibration_split

    if scans.has_splits:
        train, held_out = scans.select(split="train"), scans.select(split="threshold")
        if not len(train):
            raise BadTable(f"{scans.source}: expected rows whose split is train, received none.")
        if not len(held_out):
            train, held_out = calibration_split(train, CALIBRATION_SHARE, seed)
    else:
        abnormal = sum(row.label == "abnormal" for row in scans)
        if abnormal:
            raise BadTable(
                f"{scans.source}: expected healthy scans alone, received {abnormal} labelled abnormal. "
                "Give the folder of the healthy ones, or make a table with 'atypia split'."
            )
        train, held_out = calibration_split(scans, CALIBRATION_SHARE, seed)
    return train.rows, held_out.rows


def _provenance(scans: Scans, seed: int, report: FitReport) -> dict[str, Any]:
    packages = ("numpy", "onnxruntime", "keras", "tensorflow", "tensorflow-cpu")
    return {
        "fitted": datetime.now(UTC).isoformat(timespec="seconds"),
        "train_scans": report.train,
        "calibration_scans": report.calibration,
        "unreadable_scans": len(report.unreadable),
        "grouped": isinstance(scans, Collection) and scans.has_groups,
        "seed": seed,
        "python": platform.python_version(),
        "platform": sys.platform,
        "versions": {name: found for name in packages if (found := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except ImportError:
        return None
