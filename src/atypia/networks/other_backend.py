"""The export of a network that Keras trained on JAX or PyTorch: TensorFlow does it, in a process of its own.

As a program it turns the model in a folder into a graph beside it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from atypia.errors import AtypiaError
from atypia.networks.rebuilding import read_model, write_model
from atypia.scratch import Scratch

OUTPUTS, NETWORK = "outputs.json", "network.onnx"


def exported_elsewhere(model: Any, outputs: Sequence[str]) -> bytes:
    """Return the ONNX graph of a functional model; raise AtypiaError where TensorFlow cannot rebuild it."""
    with Scratch() as name:
        folder = Path(name)
        write_model(model, folder)
        (folder / OUTPUTS).write_text(json.dumps(list(outputs)), encoding="utf-8")
        # The graph is for any machine: no GPU is asked for, and none is taken from who trains.
        there = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
        done = subprocess.run(
            [sys.executable, "-m", __name__, name],
            env=os.environ | there,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode or not (folder / NETWORK).exists():
            told = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise AtypiaError(
                f"The trained network could not be exported by TensorFlow: {told} Train with the environment "
                "variable KERAS_BACKEND set to tensorflow."
            )
        return (folder / NETWORK).read_bytes()


def main(folder: Path) -> None:
    """Export the model in a folder."""
    from atypia.networks.export import to_onnx

    outputs = json.loads((folder / OUTPUTS).read_text(encoding="utf-8"))
    (folder / NETWORK).write_bytes(to_onnx(read_model(folder), outputs))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
