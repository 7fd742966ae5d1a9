"""Healthy scans as the detectors on a pretrained encoder learn from them: encoded once, features cached."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self, final

from atypia.cache import cache_folder
from atypia.detectors.adapting import adapted
from atypia.detectors.batch import PreparedSet
from atypia.detectors.encoded_examples import EncodedExamples
from atypia.detectors.fit_context import FitContext
from atypia.detectors.views import Views
from atypia.encoders import Encoder, deepest_cut, load_encoder
from atypia.encoders.feature_cache import FeatureCache
from atypia.encoders.one_grid import on_one_grid
from atypia.networks.checkpoint import History


@final
@dataclass(frozen=True, eq=False)
class EncodedHealthy:
    """The encoder, the healthy scans' features, and the losses of each epoch where it was adapted."""

    encoder: Encoder
    examples: EncodedExamples
    history: History

    @classmethod
    def of(
        cls,
        healthy: PreparedSet,
        context: FitContext,
        encoder: str,
        weights: Path | None,
        threads: int | None,
        *,
        scales: int,
        adapt: int,
        one_grid: bool = False,
    ) -> Self:
        """Encode with the deepest `scales` layers, after `adapt` steps of training on these very scans.

        `one_grid` brings all layers to the grid of the coarsest.
        Raises BadOption for what the encoder has not, WeightsError where weights cannot be had, and what
        `adapted` raises.
        """
        cut = deepest_cut(encoder, weights, scales)
        loaded = load_encoder(encoder, cut=cut, weights=weights, threads=threads)
        views = Views(healthy, context.work / "views", copies=0, seed=context.seed)
        trained, history = adapted(loaded, views, context, adapt)
        used = on_one_grid(trained) if one_grid else trained
        examples = EncodedExamples(views, used, FeatureCache(cache_folder("features")))
        examples.encode_all()
        return cls(used, examples, history)
