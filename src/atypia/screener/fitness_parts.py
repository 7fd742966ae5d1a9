"""The fitness check as a Screener uses it, and as it stands in an artefact beside the detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from atypia.detectors import Batch
from atypia.errors import CorruptArtefact
from atypia.fitness import Fitness
from atypia.loading import Loaded

PREFIX = "fitness_"
Arrays = dict[str, NDArray[Any]]


def reasons(fitness: Fitness, batch: Batch, part: Sequence[Loaded]) -> list[str | None]:
    """Return why each prepared scan of this part may not be judged, in order; None where it may."""
    heads = [item.prepared.heads for item in part if item.prepared is not None]
    return [verdict.reason for verdict in fitness.judge(batch.pixels, batch.foreground, heads)]


def packed(fitness: Fitness | None) -> tuple[dict[str, Any] | None, Arrays]:
    """Return the check as JSON values and as arrays by their names in the file; None where none is."""
    if fitness is None:
        return None, {}
    return fitness.to_dict(), {f"{PREFIX}{name}": array for name, array in fitness.arrays().items()}


def unpacked(values: Mapping[str, Any] | None, arrays: Arrays) -> tuple[Fitness | None, Arrays]:
    """Return the check, None where the file is older than it or has none, and the arrays that are not its.

    Raises CorruptArtefact where it is not what was saved.
    """
    mine = {name.removeprefix(PREFIX): array for name, array in arrays.items() if name.startswith(PREFIX)}
    others = {name: array for name, array in arrays.items() if not name.startswith(PREFIX)}
    if values is None:
        return None, others
    if not isinstance(values, Mapping):
        raise CorruptArtefact(f"The saved fitness check cannot be used: it is {values!r}.")
    return Fitness.from_state(values, mine), others
