"""Saved Screeners, the graphs in them, and the keys and signatures of minisign.

An input is a zip, or begins with a line out of `_KINDS`.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from atypia.artefact import HEAD, MANIFEST
from atypia.errors import AtypiaError
from atypia.onnx_session import open_session
from atypia.screener import Screener
from atypia.signing import demand_signature, read_public, read_secret
from atypia.signing.keys import is_encrypted
from fuzz.place import folder, written
from fuzz.target import FLOATS, NUMBERS, Seed, Target, number, scramble

_SIDE = 32
_WORDS = (
    "",
    "x",
    "none",
    "atlas",
    "intensity",
    "ensemble",
    "autoencoder",
    "mean+std",
    "\0",
    "../x",
    "a" * 3000,
)


def seeds() -> Iterator[Seed]:
    """Make Screeners fitted on phantoms, a few small graphs, a pair of keys and a signature."""
    yield from _screeners()
    for name, graph in _graphs():
        yield f"graph-{name}", b"graph\n" + graph
    yield from _signed()


def _screeners() -> Iterator[Seed]:
    from atypia.datasets.phantom import phantom_image
    from atypia.detectors import Atlas, Intensity
    from atypia.preparation import Preparation
    from atypia.scan import Scan

    scans = [Scan(np.float32(phantom_image(seed).pixels[::7, ::7]), name=f"{seed}") for seed in range(40)]
    for detector in (Atlas(), Intensity()):
        fitted = Screener(
            detector, Preparation(size=_SIDE), rule="quantile", parameter=0.9, fitness=False
        ).fit(scans)
        with tempfile.TemporaryDirectory() as place:
            fitted.save(Path(place, "a"))
            yield f"{detector.name}.atypia", Path(place, "a").read_bytes()


def _graphs() -> Iterator[tuple[str, bytes]]:
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.ones((2, 1, 3, 3), np.float32), "w")
    shape = numpy_helper.from_array(np.array([1, -1], np.int64), "s")
    sides = numpy_helper.from_array(np.array([1, 2, 4, 4], np.int64), "e")
    for name, nodes, constants in (
        ("conv", [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])], [weights]),
        (
            "layers",
            [
                helper.make_node("Conv", ["x", "w"], ["a"], strides=[2, 2]),
                helper.make_node("Relu", ["a"], ["b"]),
                helper.make_node("Reshape", ["b", "s"], ["y"]),
            ],
            [weights, shape],
        ),
        (
            "expand",
            [
                helper.make_node("GlobalAveragePool", ["x"], ["a"]),
                helper.make_node("Expand", ["a", "e"], ["b"]),
                helper.make_node("Resize", ["b", "", "k"], ["y"], mode="linear"),
            ],
            [sides, numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "k")],
        ),
    ):
        graph = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 8, 8])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        yield name, model.SerializeToString()


def _signed() -> Iterator[Seed]:
    from atypia.signing import new_key, sign_file, write_keys

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "file").write_bytes(b"content")
        key = new_key()
        write_keys(key, place / "a.key", place / "a.pub", None)
        public = (place / "a.pub").read_bytes()
        yield "public", b"public\n" + public
        yield "secret", b"secret\n" + (place / "a.key").read_bytes()
        yield "signature", b"signature\n" + public + sign_file(place / "file", key).read_bytes()


def change(data: bytes, chance: Random) -> bytes:
    """Change one part of a Screener, with all hashes as they must be; or a field of a graph; or a line."""
    if data.startswith(b"PK"):
        return _changed_zip(data, chance)
    name, _, rest = data.partition(b"\n")
    if name == b"graph":
        return name + b"\n" + _changed_graph(rest, chance)
    return name + b"\n" + scramble(rest, chance)


def run(data: bytes) -> None:
    """Load what it is."""
    with suppress(AtypiaError):
        if data.startswith(b"PK"):
            with written(data, "a.atypia") as path:
                Screener.load(path).card()
            return
        name, _, rest = data.partition(b"\n")
        read = _KINDS.get(name)
        if read is not None:
            read(rest)


def _graph(data: bytes) -> None:
    open_session(data, "a graph", threads=1)


def _public(data: bytes) -> None:
    with written(data, "a.pub") as path:
        assert len(read_public(path).key) == 32


def _secret(data: bytes) -> None:
    with written(data, "a.key") as path:
        if not is_encrypted(path):
            read_secret(path)


def _signature(data: bytes) -> None:
    lines = data.split(b"\n", 2)
    public, signature = b"\n".join(lines[:2]), lines[2] if len(lines) > 2 else b""
    with folder({"a.pub": public, "a": b"content", "a.minisig": signature}) as place:
        demand_signature(place / "a", read_public(place / "a.pub"))


_KINDS: dict[bytes, Callable[[bytes], None]] = {
    b"graph": _graph,
    b"public": _public,
    b"secret": _secret,
    b"signature": _signature,
}


def _changed_zip(data: bytes, chance: Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = chance.choice([HEAD, HEAD, *members])
    if name.endswith(".json"):
        tree = json.loads(members[name])
        _change_leaf(tree, chance)
        members[name] = json.dumps(tree).encode()
    else:
        at = 128 if chance.random() < 0.5 else 0
        members[name] = members[name][:at] + scramble(members[name][at:], chance)
    if chance.random() < 0.1:
        members[chance.choice((f"{name}x", "../a", "graphs/a.onnx", "arrays/a.npy"))] = members[name]
    if name != MANIFEST and MANIFEST in members:
        listed = {
            name: hashlib.sha256(data).hexdigest() for name, data in members.items() if name != MANIFEST
        }
        members[MANIFEST] = json.dumps({"sha256": listed}).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _change_leaf(tree: Any, chance: Random) -> None:
    """Change, remove or double one value of a tree of JSON."""
    while True:
        at = chance.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
        below = tree[at]
        if not isinstance(below, dict | list) or not below or chance.random() < 0.15:
            break
        tree = below
    way = chance.randrange(6)
    if way == 0:
        del tree[at]
    elif way == 1 and isinstance(below, list):
        tree[at] = below * 2 if len(below) < 100 else below[:1]
    elif way == 2:
        tree[at] = chance.choice(([], {}, None, True, [below], {"a": below}, [[[]]] * 3))
    elif way == 3:
        tree[at] = chance.choice(_WORDS)
    else:
        tree[at] = chance.choice((*NUMBERS, *FLOATS, -1, 0.5, 10**400))


def _changed_graph(data: bytes, chance: Random) -> bytes:
    import onnx

    from atypia.onnx_session.checking import OPERATORS

    model = onnx.load_from_string(data)
    node, tensor = chance.choice(model.graph.node), chance.choice(model.graph.initializer)
    way = chance.randrange(8)
    if way == 0:
        node.op_type = chance.choice(sorted(OPERATORS))
    elif way == 1:
        node.input[chance.randrange(len(node.input))] = chance.choice(("x", "y", "a", "b", "", "w", "s"))
    elif way == 2 and node.attribute:
        attribute = chance.choice(node.attribute)
        attribute.ints[:] = [chance.choice((*NUMBERS, -1)) for _ in range(chance.randrange(6))]
        attribute.i = chance.choice((*NUMBERS, -1))
    elif way == 3:
        tensor.dims[:] = [chance.choice((*NUMBERS[:9], 2**31)) for _ in range(chance.randrange(5))]
    elif way == 4:
        tensor.raw_data = number(chance, 8) * (len(tensor.raw_data) // 8) if chance.random() < 0.5 else b""
    elif way == 5:
        model.opset_import[0].version = chance.randrange(30)
    elif way == 6:
        dim = chance.choice(model.graph.input[0].type.tensor_type.shape.dim)
        dim.dim_value = chance.choice((*NUMBERS, -1))
    else:
        tensor.data_type = chance.randrange(25)
    return model.SerializeToString()


TARGET = Target("artefact", seeds, change, run, longest=2**19)
