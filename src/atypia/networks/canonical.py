"""A graph whose names and order follow from what it computes alone."""

from __future__ import annotations

from typing import Any

import onnx


def canonical(graph: onnx.GraphProto) -> None:
    """Order and name what is inside a graph by the way from its outputs to its inputs, in place.

    Converters take names from sets and counters, which differ from one process to the next: two trainings
    that gave the same weights would be two files. What the outputs do not need is left out; inputs, outputs
    and what is computed stay as they are. Graphs inside a graph are not followed: ours have none.
    """
    nodes = _ordered(graph)
    kept = {put.name for put in (*graph.input, *graph.output)}
    names = {name: name for name in kept} | {"": ""}
    constants: dict[str, Any] = {tensor.name: tensor for tensor in graph.initializer}
    used: list[Any] = []
    for place, node in enumerate(nodes):
        for name in node.input:
            if name not in names:
                names[name] = f"constant_{len(used)}"
            if name in constants:
                used.append(constants.pop(name))
        for number, name in enumerate(node.output):
            names.setdefault(name, f"value_{place}_{number}")
        node.name = f"{node.op_type}_{place}"
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for tensor in used:
        tensor.name = names[tensor.name]
    _replace(graph.node, nodes)
    _replace(graph.initializer, used)
    del graph.value_info[:]


def _ordered(graph: onnx.GraphProto) -> list[Any]:
    """Return the nodes that the outputs need, each after those that it needs itself."""
    makers = {name: node for node in graph.node for name in node.output if name}
    places = {id(node): place for place, node in enumerate(graph.node)}
    ordered: list[Any] = []
    done: set[int] = set()
    waiting = [(makers[put.name], False) for put in reversed(graph.output) if put.name in makers]
    while waiting:
        node, ready = waiting.pop()
        place = places[id(node)]
        if place in done:
            continue
        if ready:
            done.add(place)
            ordered.append(node)
            continue
        waiting.append((node, True))
        waiting += [(makers[name], False) for name in reversed(node.input) if name in makers]
    return ordered


def _replace(field: Any, kept: list[Any]) -> None:
    copies = []
    for one in kept:
        copy = type(one)()
        copy.CopyFrom(one)
        copies.append(copy)
    del field[:]
    field.extend(copies)
