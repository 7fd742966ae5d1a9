"""The Screeners that a worker holds: loaded once, the last few kept."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from atypia.errors import ArtefactError, CorruptArtefact
from atypia.screener import Screener
from atypia.screening.making import hash_of, maker_of
from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.service.store.trust import demand_trusted
from atypia.volume_finding import Maker

KEPT = 2


@dataclass(frozen=True)
class Holding:
    """A loaded Screener, its row's identifier, the hash of its file, and what results say of it."""

    id: str
    sha256: str
    screener: Screener
    maker: Maker

    @property
    def tells_pixels(self) -> bool:
        """Whether it knows how unusual each pixel is."""
        healthy = self.screener.healthy_map_
        return healthy is not None and healthy.depths is not None


class Held:
    """Loads Screeners by the hash of their files, with so many threads; None: all processors."""

    def __init__(self, settings: Settings, home: Home, threads: int | None) -> None:
        self._settings, self._home, self._threads = settings, home, threads
        self._kept: OrderedDict[str, Holding] = OrderedDict()

    def get(self, identifier: str, sha256: str, name: str) -> Holding:
        """Return a Screener; raise ArtefactError where its file is gone or another."""
        found = self._kept.pop(identifier, None) or self._loaded(identifier, sha256, name)
        self._kept[identifier] = found
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    def _loaded(self, identifier: str, sha256: str, name: str) -> Holding:
        file = self._home.screener(sha256)
        if not file.is_file():
            raise ArtefactError(
                "The Screener of this job was deleted. Choose another, and send the job again."
            )
        if hash_of(file) != sha256:
            raise CorruptArtefact("The file of this job's Screener is not the one that was registered.")
        demand_trusted(self._settings, self._home, sha256)
        screener = Screener.load(file)
        screener.use_threads(self._threads)
        return Holding(identifier, sha256, screener, maker_of(screener, file, name))
