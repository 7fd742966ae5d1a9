"""What the source never does: run what it reads, ask a shell, or open a connection to judge a scan."""

from __future__ import annotations

import ast
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src" / "atypia").rglob("*.py"))
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
CALLS = {
    "eval",
    "exec",
    "compile",
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "yaml.load",
    "torch.load",
    "keras.models.load_model",
    "keras.saving.load_model",
}


def offences(source: str) -> Iterator[str]:
    """Yield what is forbidden in a source: imports of what unpickles, calls that run text, shells."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from [node.module] if node.module.partition(".")[0] in MODULES else []
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            yield from [called] if called in CALLS else []
            for word in node.keywords:
                true = isinstance(word.value, ast.Constant) and word.value.value is True
                if word.arg in {"shell", "allow_pickle"} and true:
                    yield f"{called}({word.arg}=True)"


def test_nothing_that_was_read_is_run() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): list(offences(path.read_text(encoding="utf-8")))
        for path in SOURCES
    }
    assert len(found) > 300
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "eval(text)",
        "import os\nos.system(words)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(words, shell=True)",
    ],
)
def test_what_is_forbidden_is_seen(source: str) -> None:
    assert len(list(offences(source))) == 1


def test_fit_score_and_evaluate_open_no_connection(
    atypia: Callable[..., Any],
    draw_heads: Callable[..., tuple[np.ndarray, np.ndarray]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What Python's sockets do; that ONNX Runtime tells nobody anything has a test of its own."""
    from atypia.evaluation.evaluation import evaluate
    from atypia.screener import Screener
    from atypia.study import read_two_folders

    def refuse(*asked: object, **_: object) -> NoReturn:
        raise AssertionError(f"Expected no connection, received one to {asked[1:]}.")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    sets = {"healthy": (24, 0, 0.0), "normal": (6, 1, 0.0), "abnormal": (6, 2, 0.5)}
    for name, (count, seed, lesion) in sets.items():
        (tmp_path / name).mkdir()
        for number, pixels in enumerate(draw_heads(count, seed=seed, lesion=lesion)[0]):
            Image.fromarray(np.uint8(255 * pixels.clip(0, 1))).save(tmp_path / name / f"{number}.png")
    file = tmp_path / "atlas.atypia"
    assert atypia("fit", tmp_path / "healthy", "-o", file, "--detector", "atlas").code == 0
    assert atypia("score", file, tmp_path / "abnormal", "-o", tmp_path / "found").code == 0
    scans = read_two_folders(tmp_path / "normal", tmp_path / "abnormal").scans
    assert evaluate(Screener.load(file).score(scans), scans, resamples=10).image.auroc > 0
