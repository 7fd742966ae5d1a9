from __future__ import annotations

import builtins
import importlib.util
import subprocess
import sys

import pytest

from atypia import keras_backend
from atypia.errors import MissingExtra


@pytest.fixture
def fresh(monkeypatch):
    """`keras()` as it is before its first call."""
    monkeypatch.setattr(keras_backend, "keras", keras_backend.keras.__wrapped__)


@pytest.mark.usefixtures("fresh")
def test_without_keras_the_user_hears_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert not keras_backend.available()
    with pytest.raises(MissingExtra, match=r'Training a network needs .* pip install "atypia\[train\]"'):
        keras_backend.keras()


@pytest.mark.usefixtures("fresh")
def test_without_what_keras_runs_on_the_user_hears_it_too(monkeypatch):
    real = builtins.__import__

    def broken(name, *words, **options):
        if name == "keras":
            raise ModuleNotFoundError("No module named 'tensorflow'")
        return real(name, *words, **options)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(MissingExtra, match=r"No module named 'tensorflow'.* needs .*atypia\[train\]"):
        keras_backend.keras()


def test_asking_whether_it_is_there_does_not_load_it():
    code = (
        "import sys; from atypia.keras_backend import available; print(available(), 'keras' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["True", "False"]
