"""Encoders made from Keras models: converted to ONNX once, checked against Keras, and kept by content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from atypia.atomic import atomic
from atypia.cache import cache_folder
from atypia.encoders.base import Encoder
from atypia.errors import WeightsError
from atypia.onnx_session import open_session

FORMAT = 1
_HASH_BYTES = 32
RANDOM = Path("random")
"""In place of a file: made-up weights, always the same ones, for trying things out."""
PROBE = 2
AGREEMENT = 1e-2


@dataclass(frozen=True, eq=False)
class Front:
    """A Keras model from grey pixels (N, S, S) in [0, 1] to maps, channels last, and the maps' strides.

    `size` is the S that the model is tried with, and the only one that it takes where it takes but one.
    """

    model: Any
    strides: tuple[int, ...]
    size: int


def converted(
    name: str,
    cut: tuple[str, ...],
    weights: Path | None,
    threads: int | None,
    build: Callable[[], Front],
    packages: tuple[str, ...],
) -> Encoder:
    """Return the encoder that `build` makes, from the cache where it was made before.

    The cache's key is the name, the cut, the content of the weights and the versions of `packages`.
    Raises what `build` raises, MissingExtra without Keras, OutputError where the cache cannot be written.
    """
    asked = [FORMAT, name, cut, _content(weights), [(package, _version(package)) for package in packages]]
    key = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    path = cache_folder("encoders", f"{key}.onnx")
    found = _read(path, name, cut, threads)
    if found is not None:
        return found
    graph, channels, strides = _convert(build(), cut)
    with atomic(path) as part:
        part.write_bytes(_with_hash(_described(graph, channels, strides)))
    found = _read(path, name, cut, threads)
    assert found is not None
    return found


def made_up(model: Any, seed: int = 0) -> None:
    """Give a Keras model random weights that keep its activations near one, always the same ones."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        shape, kind = tuple(weight.shape), weight.path.rpartition("/")[2]
        if len(shape) > 1:
            # The last axis of a depthwise kernel counts no outputs.
            inputs = np.prod(shape[:-1] if shape[-1] > 1 else shape[:2])
            drawn = rng.standard_normal(shape) * np.sqrt(2 / inputs)
        elif "variance" in kind or "gamma" in kind or "scale" in kind:
            drawn = 1 + 0.1 * rng.random(shape)
        else:
            drawn = 0.1 * rng.standard_normal(shape)
        if "int" not in str(weight.dtype):
            weight.assign(drawn.astype(np.float32))


def _content(weights: Path | None) -> str:
    """Name the content of the weights: that of a file or of all files in a folder."""
    if weights is None or weights == RANDOM:
        return str(weights)
    if not weights.exists():
        raise WeightsError(f"{weights}: expected weights, received no file. Check --weights.")
    digest = hashlib.sha256()
    files = sorted(weights.rglob("*")) if weights.is_dir() else [weights]
    for file in (file for file in files if file.is_file()):
        digest.update(file.relative_to(weights).as_posix().encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _convert(front: Front, cut: tuple[str, ...]) -> tuple[bytes, tuple[int, ...], tuple[int, ...]]:
    from atypia.networks.export import to_onnx

    graph = to_onnx(front.model, cut)
    expected = _outputs(front)
    session = open_session(graph, "The converted encoder")
    received = session.run(list(cut), {session.get_inputs()[0].name: _probe(front.size)})
    for stage, ours, theirs in zip(cut, received, expected, strict=True):
        apart = float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else np.inf
        if not apart <= AGREEMENT * (1 + float(np.abs(theirs).max())):
            raise WeightsError(
                f"The ONNX graph of this encoder differs from Keras' own at {stage} (by {apart:.3g}): "
                "it cannot be used. Choose another encoder."
            )
    return graph, tuple(maps.shape[-1] for maps in expected), front.strides


def _outputs(front: Front) -> list[Any]:
    outputs = front.model.predict_on_batch(_probe(front.size))
    return [np.asarray(maps) for maps in (outputs if isinstance(outputs, list | tuple) else [outputs])]


def _probe(size: int) -> Any:
    return np.random.default_rng(0).random((PROBE, size, size), dtype=np.float32)


def _described(graph: bytes, channels: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    model = onnx.load_from_string(graph)
    onnx.helper.set_model_props(model, {"channels": json.dumps(channels), "strides": json.dumps(strides)})
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _with_hash(graph: bytes) -> bytes:
    return graph + hashlib.sha256(graph).digest()


def _whole(content: bytes) -> bytes:
    """Return a graph that was kept with its hash; raise ValueError where that is another."""
    graph = content[:-_HASH_BYTES]
    if _with_hash(graph) != content:
        raise ValueError("damaged")
    return graph


def _read(path: Path, name: str, cut: tuple[str, ...], threads: int | None) -> Encoder | None:
    """Return the encoder that lies there; None where there is none, or a damaged one."""
    try:
        graph = _whole(path.read_bytes())
        props = {entry.key: json.loads(entry.value) for entry in onnx.load_from_string(graph).metadata_props}
        return Encoder(name, cut, tuple(props["channels"]), tuple(props["strides"]), graph, threads)
    except (OSError, KeyError, ValueError, TypeError, onnx.checker.ValidationError):
        return None
    except Exception as error:  # what protobuf raises for a damaged file has no public name
        if "protobuf" in type(error).__module__:
            return None
        raise
