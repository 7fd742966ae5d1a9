"""Imports point down only, and what scores loads nothing that trains: see ARCHITECTURE.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"
LINES = (  # from the top; rooms on one line do not know each other
    ("__init__", "__main__"),
    ("cli",),
    ("service",),
    ("demo", "reference", "comparison", "cluster"),
    ("study", "screening", "audit", "optimising", "doctor"),
    ("report", "writing"),
    ("evaluation", "monitoring"),
    ("screener",),
    ("detectors", "copies", "scalars", "fitness", "recognition", "equalising"),
    (
        "reading",
        "datasets",
        "preparation",
        "lesions",
        "encoders",
        "networks",
        "threshold",
        "metrics",
        "artefact",
        "destination",
        "signing",
    ),
    (
        "atomic",
        "cache",
        "keras_backend",
        "onnx_session",
        "overlay",
        "pretrained",
        "parent",
        "processors",
        "remote",
        "scratch",
        "volume_finding",
    ),
    ("errors", "scan", "progress", "in_order", "notice", "locking"),
)
HEIGHT = {room: -line for line, rooms in enumerate(LINES) for room in rooms}
SIDEWAYS = {
    ("datasets", "reading"),  # a data set is written, and read back, as a table of scans
    ("encoders", "networks"),  # an encoder made with Keras is exported as a trained network is
}
PARTS = {"evaluation.metrics": "metrics", "loading": "screener"}  # modules that belong to another room


def room_of(module: str) -> str:
    inside = module.removeprefix("atypia.")
    return PARTS.get(inside) or inside.partition(".")[0]


def imports(file: Path) -> set[str]:
    """The modules of ours that a file imports anywhere, but for its annotations only."""
    names: set[str] = set()
    for node in running(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            below = {f"{node.module}.{alias.name}" for alias in node.names} - {"atypia.__version__"}
            names |= below if node.module == "atypia" else {node.module}
    return {name for name in names if name.startswith("atypia.")}


def running(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of what runs: all but the bodies of `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from running(child)


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


def test_imports_for_annotations_alone_do_not_count(tmp_path):
    file = tmp_path / "room.py"
    file.write_text(
        "from typing import TYPE_CHECKING\nfrom atypia.scan import Scan\n"
        "if TYPE_CHECKING:\n    from atypia.screener import Screener\n"
        "def late():\n    import atypia.errors\n    from atypia import notice\n"
    )
    assert imports(file) == {"atypia.scan", "atypia.errors", "atypia.notice"}


def loaded_by(code: str) -> set[str]:
    """Run code in a new interpreter and return the packages and modules that it has loaded."""
    told = f"import sys\n{code}\nprint('loaded', *sys.modules)"
    out = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr
    return set(out.stdout.splitlines()[-1].split())


def test_scoring_loads_nothing_that_trains():
    loaded = loaded_by("import atypia.screener, atypia.detectors, atypia.screening, atypia.study")
    assert "onnxruntime" in loaded
    assert loaded.isdisjoint({"keras", "tensorflow", "tf2onnx", "torch", "jax"})


def test_scoring_loads_what_it_needs_and_little_else():
    loaded = loaded_by("import atypia.screener, atypia.screening")
    assert "scipy" in loaded
    late = {"matplotlib", "h5py", "scipy.stats", "scipy.spatial", "sklearn", "pyarrow", "pydicom", "nibabel"}
    assert loaded.isdisjoint(late)


def test_help_loads_nothing_that_computes():
    loaded = loaded_by("import atypia.cli\natypia.cli.main(['--help'], standalone_mode=False)")
    assert "click" in loaded
    heavy = {
        "numpy",
        "scipy",
        "PIL",
        "matplotlib",
        "onnx",
        "onnxruntime",
        "pyarrow",
        "h5py",
        "jinja2",
        "keras",
    }
    assert loaded.isdisjoint(heavy)
