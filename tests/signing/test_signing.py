from __future__ import annotations

import base64
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atypia.errors import BadOption, BadSignature
from atypia.signing import (
    SecretKey,
    demand_signature,
    new_key,
    password,
    read_public,
    read_secret,
    sign_file,
    signature_path,
    write_keys,
)

MINISIGN = shutil.which("minisign")
minisign = pytest.mark.skipif(MINISIGN is None, reason="minisign is not installed")

# What minisign 0.11 wrote: a public key, and its signature of the six bytes "hello\n".
KEY = (
    "untrusted comment: minisign public key 3C4538F28CE63671\n"
    "RWRxNuaM8jhFPPLYvgCgutRk4DF4DoyNxjxtuHxW6IWDxHp3kaDxT7Po\n"
)
SIGNATURE = (
    "untrusted comment: signature from minisign secret key\n"
    "RURxNuaM8jhFPG1YQ78i4BgP/UzN5jgPKIaUr90ICPl741E7NnHnjwPuWWqd8HNNzH74XMh5sdfvMrpSeMTfjc0+AkjWphPYtw0=\n"
    "trusted comment: timestamp:1795424352\tfile:f\thashed\n"
    "uQTqh8Kmmdk/NVm4onjKkoelwtny890OSFfJfwbMYf4ht6wBSdfy9TpAPtV0akYSnappPRNnLPU4coyfUyX1Dw==\n"
)


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "f"
    path.write_bytes(b"hello\n")
    return path


@pytest.fixture
def signed(file) -> tuple[Path, SecretKey]:
    key = new_key()
    sign_file(file, key)
    return file, key


@pytest.fixture
def quick(monkeypatch):
    """A password that takes a thousandth of the usual work to try."""
    monkeypatch.setattr("atypia.signing.keys.LIMITS", (2**15, 2**20))


def run(*words: object, told: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(MINISIGN), *map(str, words)], input=told, capture_output=True, text=True, check=False
    )


def test_what_minisign_signed_is_verified(file):
    (file.parent / "key.pub").write_text(KEY)
    signature_path(file).write_text(SIGNATURE)
    key = read_public(file.parent / "key.pub")
    assert key.number == "3C4538F28CE63671"
    assert demand_signature(file, key) == "timestamp:1795424352\tfile:f\thashed"


def test_what_was_signed_is_verified_with_its_comment(signed):
    file, key = signed
    assert demand_signature(file, key.public).endswith("\tfile:f\thashed")
    sign_file(file, key, "for site Ä")
    assert demand_signature(file, key.public) == "for site Ä"


def test_a_changed_file_is_refused(signed):
    file, key = signed
    file.write_bytes(b"hello!")
    with pytest.raises(BadSignature, match="not the file that was signed"):
        demand_signature(file, key.public)


def test_another_key_is_refused(signed):
    file, key = signed
    other = new_key()
    with pytest.raises(BadSignature, match=f"expected a signature by the key {other.public.number}"):
        demand_signature(file, other.public)
    same_number = type(key.public)(key.public.key_id, other.public.key)
    with pytest.raises(BadSignature, match="not the file that was signed"):
        demand_signature(file, same_number)


def test_a_changed_comment_is_refused(signed):
    file, key = signed
    path = signature_path(file)
    path.write_text(path.read_text().replace("file:f", "file:g"))
    with pytest.raises(BadSignature, match="its comment is not the one that was signed"):
        demand_signature(file, key.public)


def test_no_signature_and_no_file_are_told(file, tmp_path):
    key = new_key()
    with pytest.raises(BadSignature, match=r"expected a signature at .*f\.minisig, received none"):
        demand_signature(file, key.public)
    with pytest.raises(BadOption, match="expected a file that can be read"):
        sign_file(tmp_path / "none", key)


@pytest.mark.parametrize("comment", ["two\nlines", "\x1b[2J", "a\rb", "\u202e"])
def test_a_comment_is_one_line_of_text(file, comment):
    with pytest.raises(BadOption, match="one line of text"):
        sign_file(file, new_key(), comment)


@pytest.mark.parametrize(
    "text",
    ["", "x", "untrusted comment: x\n", "untrusted comment: x\n!!!!\n", "untrusted comment: x\nQUFB\n"],
)
def test_what_is_no_key_is_refused(tmp_path, text):
    path = tmp_path / "key"
    path.write_text(text)
    for read in (read_public, read_secret):
        with pytest.raises(BadSignature, match=r"key: expected a (public|secret) key of minisign"):
            read(path)
    with pytest.raises(BadSignature, match="No such file"):
        read_public(tmp_path / "none")
    path.write_bytes(bytes([0xFF]) * 100_000)
    with pytest.raises(BadSignature, match="expected a public key"):
        read_public(path)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.binary(min_size=0, max_size=3))
def test_no_damage_of_a_signature_is_taken_for_it(tmp_path_factory, place, put):
    folder = tmp_path_factory.mktemp("signed")
    (folder / "f").write_bytes(b"hello\n")
    (folder / "key.pub").write_text(KEY)
    data = SIGNATURE.encode()
    first = len("untrusted comment: ")
    at = first + 34 + place % (len(data) - first - 34 - 1)
    damaged = data[:at] + put + data[at + 1 :]
    signature_path(folder / "f").write_bytes(damaged)
    try:
        comment = demand_signature(folder / "f", read_public(folder / "key.pub"))
    except BadSignature:
        return
    assert comment == "timestamp:1795424352\tfile:f\thashed"


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files are POSIX")
def test_the_secret_key_is_for_its_owner_alone(tmp_path):
    write_keys(new_key(), tmp_path / "a.key", tmp_path / "a.pub", None)
    assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600


def test_keys_are_never_replaced(tmp_path):
    write_keys(new_key(), tmp_path / "a.key", tmp_path / "a.pub", None)
    before = (tmp_path / "a.key").read_bytes()
    with pytest.raises(BadOption, match="keys are never replaced"):
        write_keys(new_key(), tmp_path / "a.key", tmp_path / "b.pub", None)
    with pytest.raises(BadOption, match="keys are never replaced"):
        write_keys(new_key(), tmp_path / "b.key", tmp_path / "a.pub", None)
    assert (tmp_path / "a.key").read_bytes() == before
    assert not (tmp_path / "b.key").exists()


@pytest.mark.usefixtures("quick")
def test_a_password_is_asked_for_and_needed(tmp_path):
    key = new_key()
    write_keys(key, tmp_path / "a.key", tmp_path / "a.pub", "a secret Ü")
    held = base64.b64decode((tmp_path / "a.key").read_text().splitlines()[1])
    assert key.seed not in held
    assert read_secret(tmp_path / "a.key", "a secret Ü") == key
    assert read_public(tmp_path / "a.pub") == key.public
    with pytest.raises(BadSignature, match="its password is needed"):
        read_secret(tmp_path / "a.key")
    with pytest.raises(BadSignature, match="The password is wrong"):
        read_secret(tmp_path / "a.key", "another")


def test_a_key_that_would_fill_the_memory_is_refused(tmp_path):
    with pytest.raises(BadSignature, match="at most 2 GiB"):
        password.mask(bytes(8), "x", bytes(32), 2**40, 2**45, tmp_path)


def test_a_bare_key_that_was_damaged_is_found(tmp_path):
    write_keys(new_key(), tmp_path / "a.key", tmp_path / "a.pub", None)
    comment, text = (tmp_path / "a.key").read_text().splitlines()
    data = bytearray(base64.b64decode(text))
    data[70] ^= 1
    (tmp_path / "a.key").write_text(f"{comment}\n{base64.b64encode(data).decode()}\n")
    with pytest.raises(BadSignature, match="do not belong together"):
        read_secret(tmp_path / "a.key")


@minisign
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("secret", [None, "a secret"])
def test_minisign_verifies_and_uses_what_is_made_here(file, secret):
    folder, key = file.parent, new_key()
    write_keys(key, folder / "a.key", folder / "a.pub", secret)
    sign_file(file, key, "from here")
    found = run("-V", "-p", folder / "a.pub", "-m", file)
    assert (found.returncode, "from here" in found.stdout) == (0, True)
    signature_path(file).unlink()
    words = ("-S", "-s", folder / "a.key", "-m", file, "-t", "from there")
    assert run(*words, told=f"{secret}\n").returncode == 0
    assert demand_signature(file, key.public) == "from there"


@minisign
def test_keys_and_both_kinds_of_signature_of_minisign_are_used_here(file):
    folder = file.parent
    assert run("-G", "-W", "-p", folder / "b.pub", "-s", folder / "b.key").returncode == 0
    secret, public = read_secret(folder / "b.key"), read_public(folder / "b.pub")
    assert secret.public == public
    assert run("-S", "-l", "-s", folder / "b.key", "-m", file, "-t", "legacy").returncode == 0
    assert demand_signature(file, public) == "legacy"
    sign_file(file, secret)
    assert run("-V", "-p", folder / "b.pub", "-m", file).returncode == 0
