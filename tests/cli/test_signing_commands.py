from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from atypia.cli.main import commands


@pytest.fixture
def keys(atypia, tmp_path) -> Path:
    found = atypia("keygen", "-o", tmp_path / "lab", "--no-password")
    assert found.code == 0
    assert "who can read it can sign" in found.err
    return tmp_path / "lab.pub"


@pytest.fixture
def model(quick_file, tmp_path) -> Path:
    return shutil.copy(quick_file, tmp_path / "brain.atypia")


def test_a_screener_is_signed_verified_and_demanded(atypia, keys, model, draw_heads, tmp_path):
    (tmp_path / "scans").mkdir()
    Image.fromarray((255 * draw_heads(1, size=32)[0][0]).astype("uint8")).save(tmp_path / "scans" / "a.png")
    words = ("score", model, tmp_path / "scans", "-o", tmp_path / "out", "--require-signature", keys)
    found = atypia(*words)
    assert found.code == 3
    assert "expected a signature at" in found.err
    assert not (tmp_path / "out" / "findings.csv").exists()
    assert atypia("sign", model, "--key", keys.with_suffix(".key"), "--comment", "version 3").code == 0
    found = atypia("verify", model, "--key", keys)
    assert (found.code, "version 3" in found.out) == (0, True)
    assert atypia(*words).code == 0
    with model.open("ab") as file:
        file.write(b"x")
    assert atypia("verify", model, "--key", keys).code == 3
    found = atypia(*words, "--anew")
    assert found.code == 3
    assert "not the file that was signed" in found.err


def test_a_screener_that_is_exchanged_after_it_was_verified_is_refused(
    atypia, keys, model, monkeypatch, tmp_path
):
    from atypia.screener import Screener

    assert atypia("sign", model, "--key", keys.with_suffix(".key")).code == 0
    Image.new("L", (32, 32)).save(tmp_path / "a.png")
    usual = Screener.load

    def exchanged(path: Path) -> Screener:
        other = path.with_name("other")
        shutil.copy(path, other)
        with other.open("ab") as file:
            file.write(bytes(1))
        other.replace(path)
        return usual(path)

    monkeypatch.setattr(Screener, "load", exchanged)
    found = atypia("score", model, tmp_path / "a.png", "-o", tmp_path / "out", "--require-signature", keys)
    assert found.code == 3
    assert "another file" in found.err


def test_a_password_is_asked_for(model, monkeypatch, tmp_path):
    monkeypatch.setattr("atypia.signing.keys.LIMITS", (2**15, 2**20))
    made = CliRunner().invoke(commands, ["keygen", "-o", str(tmp_path / "a")], input="one two\none two\n")
    assert made.exit_code == 0
    assert "one two" not in made.output
    words = ["sign", str(model), "--key", str(tmp_path / "a.key")]
    assert CliRunner().invoke(commands, words, input="one two\n").exit_code == 0
    wrong = CliRunner().invoke(commands, words, input="another\n")
    assert wrong.exit_code == 3
    assert "The password is wrong" in wrong.stderr


def test_keys_are_not_replaced(atypia, keys, tmp_path):
    before = keys.read_bytes()
    assert atypia("keygen", "-o", tmp_path / "lab", "--no-password").code == 2
    assert keys.read_bytes() == before


def test_without_the_library_the_extra_is_named(atypia, keys, model, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives.asymmetric", None)
    found = atypia("sign", model, "--key", keys.with_suffix(".key"))
    assert found.code == 4
    assert 'pip install "atypia[sign]"' in found.err
