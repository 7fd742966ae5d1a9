from __future__ import annotations

import subprocess
import sys

import pytest

import atypia

PUBLIC = [
    "AtypiaError",
    "Collection",
    "Evaluation",
    "Finding",
    "Preparation",
    "Scan",
    "Screener",
    "Threshold",
    "__version__",
    "evaluate",
    "phantom_image",
    "read_collection",
    "read_picture",
    "write_report",
]


def test_public_names_are_pinned():
    assert atypia.__all__ == PUBLIC
    assert len(PUBLIC) <= 15


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there(name):
    assert getattr(atypia, name) is getattr(atypia, name)
    assert name in dir(atypia)


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="no attribute 'read_everything'"):
        _ = atypia.read_everything


def test_import_costs_nothing():
    loaded = "import sys; before = set(sys.modules); import atypia; print(*set(sys.modules) - before)"
    out = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    names = {name.partition(".")[0] for name in out.stdout.split()}
    assert "atypia" in names
    assert names.isdisjoint({"numpy", "scipy", "PIL", "onnxruntime", "matplotlib", "click"})
