"""What is kept after every epoch, so that a training that was killed goes on where it was."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.atomic import not_written

History = list[dict[str, float]]

HEADER = "header"


@dataclass(frozen=True)
class Checkpoint:
    """A file with all variables of a training and its history; `key` names the training it belongs to."""

    path: Path
    key: str

    def save(self, variables: list[Any], history: History) -> None:
        """Write the file, whole or not at all; raise OutputError."""
        header = json.dumps({"key": self.key, "history": history}).encode()
        arrays: dict[str, Any] = {f"v{i}": np.asarray(variable) for i, variable in enumerate(variables)}
        arrays[HEADER] = np.frombuffer(header, np.uint8)
        # One fixed name: a kill while writing leaves one file, which the next writing overwrites.
        temporary = self.path.with_suffix(".part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                np.savez(file, **arrays)
            temporary.replace(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise not_written(self.path, error) from error

    def restore(self, variables: list[Any], most: int) -> History:
        """Set the variables and return the history, at most `most` epochs; empty where nothing can be used.

        What lies there but cannot be used is told on stderr, and no variable is touched.
        """
        if not self.path.exists():
            return []
        try:
            history, arrays = self._read(len(variables))
        except Exception as error:  # damaged files draw almost any exception from the readers
            return self._anew(f"damaged ({error})")
        if history is None:
            return self._anew("of another training (data, recipe or seed differ)")
        if len(history) > most:
            return self._anew(f"after epoch {len(history)}, more than the {most} asked for")
        if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
            return self._anew("of a network of another shape")
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        return history

    def _read(self, count: int) -> tuple[History | None, list[NDArray[Any]]]:
        # Opened here, for numpy leaves the file open where it is no zip.
        with self.path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            header = json.loads(saved[HEADER].tobytes())
            if header["key"] != self.key:
                return None, []
            return header["history"], [saved[f"v{i}"] for i in range(count)]

    def _anew(self, reason: str) -> History:
        print(f"{self.path}: a checkpoint {reason}; starting anew.", file=sys.stderr)
        return []
