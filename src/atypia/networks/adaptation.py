"""Training a pretrained encoder on with healthy scans alone: the mean-shifted contrastive loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.keras_backend import keras
from atypia.networks.acceleration import compiled

# As in the paper.
TEMPERATURE = 0.25
TINY = 1e-12

Vector = NDArray[np.float32]


def centres_of(batches: Iterable[Sequence[NDArray[np.float32]]]) -> list[Vector]:
    """Return, for each cut, the mean (C,) of the healthy scans' vectors; a batch is one map for each cut.

    A scan's vector is the mean of its map, scaled to length 1.
    """
    sums: list[NDArray[np.float64]] = []
    count = 0
    for maps in batches:
        vectors = [_directions(layer.mean((1, 2), dtype=np.float64)).sum(axis=0) for layer in maps]
        sums = [a + b for a, b in zip(sums, vectors, strict=True)] if sums else vectors
        count += len(maps[0])
    return [(total / count).astype(np.float32) for total in sums]


def _directions(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.sqrt((vectors**2).sum(axis=-1, keepdims=True) + TINY)
    return np.asarray(vectors / lengths)


def make_adapting(encoder: Any, centres: Sequence[Vector], optimizer: Any) -> Any:
    """Return a compiled Keras model from two altered copies (N, S, S) of each scan to their vectors.

    Reiss and Hoshen, "Mean-shifted contrastive loss for anomaly detection", AAAI 2023: scans are seen from
    the centre c of the healthy ones, theta(x) = (phi(x) - c) / |phi(x) - c|, and the contrastive loss of
    theta draws the two copies of a scan together and those of others apart (Chen et al., "A simple framework
    for contrastive learning of visual representations", ICML 2020, equation 1), with temperature 0.25.
    Not as there: the loss is taken at each cut, and a few hundred steps at a low rate are the early stop.
    What stands for a truth is not read.
    """
    k = keras()
    copies = [k.Input(encoder.input_shape[1:], name=name) for name in ("first", "second")]
    seen = [_vectors(encoder(copy), centres) for copy in copies]
    # (N, 2, C) for each cut.
    pairs = [k.ops.stack(pair, axis=1) for pair in zip(*seen, strict=True)]
    model = k.Model(copies, k.ops.concatenate(pairs, axis=-1))
    ends = np.cumsum([len(centre) for centre in centres])

    def loss(truth: Any, vectors: Any) -> Any:
        del truth
        parts = k.ops.split(vectors, ends[:-1].tolist(), axis=-1) if len(ends) > 1 else [vectors]
        return sum(contrastive(part) for part in parts) / len(parts)

    return compiled(model, optimizer, loss)


def contrastive(pairs: Any) -> Any:
    """Return the mean contrastive loss of unit vectors (N, 2, C), two a scan; log(2 N - 1) is chance."""
    ops = keras().ops
    count = ops.shape(pairs)[0]
    vectors = ops.concatenate([pairs[:, 0], pairs[:, 1]], axis=0)
    likeness = ops.matmul(vectors, ops.transpose(vectors)) / TEMPERATURE
    others = likeness - 1e9 * ops.eye(2 * count)
    twins = ops.sum(pairs[:, 0] * pairs[:, 1], axis=-1) / TEMPERATURE
    return ops.mean(ops.logsumexp(others, axis=1)) - ops.mean(twins)


def _vectors(maps: Any, centres: Sequence[Vector]) -> list[Any]:
    """Return the scans' unit vectors (N, C) as seen from the centres."""
    maps = maps if isinstance(maps, list | tuple) else [maps]
    return [
        _unit(_unit(keras().ops.mean(layer, axis=(1, 2))) - centre)
        for layer, centre in zip(maps, centres, strict=True)
    ]


def _unit(vectors: Any) -> Any:
    """Return vectors (N, C) of length 1; one without length stays near 0, and its gradient finite."""
    ops = keras().ops
    return vectors / ops.sqrt(ops.sum(vectors * vectors, axis=-1, keepdims=True) + TINY)
