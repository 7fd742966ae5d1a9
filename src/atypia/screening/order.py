"""How all shards of a job are judged, for those who do it in another process."""

from __future__ import annotations

from dataclasses import dataclass

from atypia.screener import Screener
from atypia.screening.of_shard import Asked
from atypia.screening.results import results_of
from atypia.volume_finding import Maker


@dataclass(frozen=True)
class Order:
    """How all shards of a job are judged: see `score_to_folder`. `sha256` is that of the Screener's file.

    `threads` are those of the one who judges, and `device` is where its graphs are run.
    """

    maker: Maker
    sha256: str
    judge_all: bool
    keep_identifiers: bool
    of_volumes: bool
    threads: int
    device: str
    heatmaps: bool = False
    results: tuple[str, ...] = ()

    def asked_of(self, screener: Screener) -> Asked:
        """Return what is asked of the Screener that was loaded for this order."""
        screener.use_threads(self.threads)
        return Asked(
            screener,
            self.maker,
            results_of(self.results),
            heatmaps=self.heatmaps,
            judge_all=self.judge_all,
            keep_identifiers=self.keep_identifiers,
            of_volumes=self.of_volumes,
        )
