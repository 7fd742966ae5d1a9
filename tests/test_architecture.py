"""Imports point down only, and what scores loads nothing that trains: see ARCHITECTURE.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"
LINES = (  # from the top; rooms on one line do not know each other
    ("__init__", "__main__"),
    ("cli", "service", "cluster"),
    ("reference",),
    ("report", "writing", "audit"),
    ("evaluation",),
    ("screener",),
    ("detectors",),
    ("reading", "datasets", "preparation", "encoders", "networks", "threshold", "metrics", "artefact"),
    ("atomic", "cache", "keras_backend", "overlay"),
    ("errors", "scan", "progress", "notice"),
)
HEIGHT = {room: -line for line, rooms in enumerate(LINES) for room in rooms}
SIDEWAYS = {("datasets", "reading")}  # a data set is written, and read back, as a table of scans
PARTS = {"evaluation.metrics": "metrics", "loading": "screener"}  # modules that belong to another room


def room_of(module: str) -> str:
    inside = module.removeprefix("atypia.")
    return PARTS.get(inside) or inside.partition(".")[0]


def imports(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            below = (f"{node.module}.{alias.name}" for alias in node.names)
            names |= {node.module} if node.module != "atypia" else {*below} - {"atypia.__version__"}
    return {name for name in names if name.startswith("atypia.")}


def test_imports_point_down_only():
    wrong = []
    for file in sorted((SOURCE / "atypia").rglob("*.py")):
        here = room_of(".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"))
        here = "__init__" if here == "atypia" else here
        assert here in HEIGHT, f"{file}: give the room '{here}' its line in this test and in ARCHITECTURE.md"
        for name in imports(file):
            there = room_of(name)
            if here != there and HEIGHT[here] <= HEIGHT.get(there, 0) and (here, there) not in SIDEWAYS:
                wrong.append(f"{file.relative_to(SOURCE)} imports {name}")
    assert wrong == []


def test_scoring_and_help_load_nothing_that_trains():
    code = (
        "import sys, atypia.screener, atypia.detectors, atypia.cli\n"
        "atypia.cli.main(['--help'], standalone_mode=False)\n"
        "print(sorted({'keras', 'tensorflow', 'tf2onnx', 'torch', 'jax'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr
    assert out.stdout.splitlines()[-1] == "[]"
