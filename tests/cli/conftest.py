"""A Screener whose network was trained, by the command that anyone would type."""

from __future__ import annotations

from pathlib import Path

import pytest

QUICK = ("--encoder", "efficientnet-lite0", "--size", 64, "--set", "augment=0", "--set", "decoder=16,8,8,8,8")


@pytest.fixture(scope="session")
def autoencoder_fit(atypia, phantom_table, tmp_path_factory):
    """The saved file of an autoencoder of one epoch, and what the command said."""
    file: Path = tmp_path_factory.mktemp("models") / "autoencoder.atypia"
    return file, atypia("fit", phantom_table, "-o", file, "--epochs", 1, *QUICK)


@pytest.fixture(scope="session")
def autoencoder_file(autoencoder_fit):
    file, outcome = autoencoder_fit
    assert outcome.code == 0, outcome.err
    return file
