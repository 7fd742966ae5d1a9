"""The healthy scans of a fit, read and prepared: those to learn from, and those kept aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from atypia.copies import is_cluster
from atypia.loading import Loaded
from atypia.preparation import Preparation
from atypia.reading.collection import Row
from atypia.scan import Scan
from atypia.screener.parting import Items, demand_enough
from atypia.screener.prepared_folder import PreparedFolder, prepare_to_folder


@dataclass(frozen=True, eq=False)
class HealthyScans:
    """What was given, `train` and `held_out`, and what could be prepared of it, `learned` and `aside`.

    `lost` and `lost_aside` are those that could not be read.
    """

    train: Items
    held_out: Items
    learned: PreparedFolder
    aside: PreparedFolder
    lost: Sequence[Loaded]
    lost_aside: Sequence[Loaded]

    @classmethod
    def read(cls, train: Items, held_out: Items, preparation: Preparation, folder: Path) -> HealthyScans:
        """Read and prepare into a folder; raise NotEnoughScans where too few are left, OutputError."""
        learned, lost = prepare_to_folder(train, preparation, folder / "train", label="reading healthy scans")
        # Scored just as scans are in use, so kept just as they are; to learn from, float16 is enough.
        aside, lost_aside = prepare_to_folder(
            held_out, preparation, folder / "aside", label="reading those kept aside", kind=np.float32
        )
        found = cls(train, held_out, learned, aside, lost, lost_aside)
        demand_enough(len(learned), len(aside), found.failed)
        return found

    @property
    def failed(self) -> list[Loaded]:
        """All that could not be read."""
        return [*self.lost, *self.lost_aside]

    @property
    def sources(self) -> list[Row | Scan]:
        """What was kept aside and could be read."""
        lost = {id(item.source) for item in self.lost_aside}
        return [item for item in self.held_out if id(item) not in lost]

    @property
    def groups(self) -> tuple[str | None, ...]:
        """The groups of those learned from."""
        lost = {id(item.source) for item in self.lost}
        return tuple(item.group for item in self.train if id(item) not in lost)

    @property
    def grouped(self) -> bool:
        """Whether the group of any scan to learn from is known, not found among near-copies."""
        return any(item.group is not None and not is_cluster(item.group) for item in self.train)
