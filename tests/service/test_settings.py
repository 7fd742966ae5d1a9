from __future__ import annotations

from pathlib import Path

import pytest

from atypia.errors import BadOption
from atypia.service.settings import Settings, read_settings

DATA = {"data": Path("/data")}


def test_without_anything_they_are_those_of_a_laptop():
    settings = read_settings(None, DATA, {})
    assert settings == Settings(data=Path("/data"))
    assert settings.host == "127.0.0.1"


def test_the_command_line_comes_before_the_environment_and_that_before_the_file(tmp_path):
    file = tmp_path / "atypia.toml"
    file.write_text(
        "port = 1\nworkers = 1\nthreads = 1\n[limits]\nupload_bytes = 5\n[access]\nidle_minutes = 3\n"
        '[[peers]]\nname = "pacs"\nkind = "dicom"\nhost = "pacs.example"\nae_title = "PACS"\n'
    )
    environment = {"ATYPIA_SERVE_PORT": "2", "ATYPIA_SERVE_WORKERS": "2", "ATYPIA_OTHER": "x", "PORT": "9"}
    settings = read_settings(file, {**DATA, "port": 3, "threads": None}, environment)
    assert (settings.port, settings.workers, settings.threads) == (3, 2, 1)
    assert settings.limits.upload_bytes == 5
    assert settings.access.idle_minutes == 3
    assert [peer.name for peer in settings.peers] == ["pacs"]


def test_variables_reach_into_tables_and_are_read_as_toml_or_text():
    environment = {
        "ATYPIA_SERVE_ACCESS__PUBLIC_URL": "https://atypia.example",
        "ATYPIA_SERVE_ROOTS": '["/a", "/b"]',
        "ATYPIA_SERVE_KEEP_NAMES": "true",
    }
    settings = read_settings(None, DATA, environment)
    assert settings.access.public_url == "https://atypia.example"
    assert settings.roots == (Path("/a"), Path("/b"))
    assert settings.keep_names is True


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"prot": 1}, "prot"),
        ({"limits.upload_byte": 1}, "limits.upload_byte"),
        ({"port": "many"}, "port"),
        ({"port": 70000}, "port"),
        ({"workers": 0}, "workers"),
        ({"log_level": "loud"}, "log_level"),
        ({"limits": 3}, "limits"),
        ({"port": 1, "port.x": 1}, "port"),
    ],
)
def test_what_makes_no_sense_is_told_by_its_name(given, told):
    with pytest.raises(BadOption, match=told):
        read_settings(None, {**DATA, **given}, {})


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe", b"a = " + b"[" * 5000, None], ids=range(4))
def test_a_file_that_cannot_be_read_is_told(tmp_path, content):
    file = tmp_path / "atypia.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadOption, match=r"atypia\.toml"):
        read_settings(file, DATA, {})


@pytest.mark.parametrize("text", ["[" * 5000, "9" * 5000], ids=["deep", "long"])
def test_a_variable_that_cannot_be_read_as_toml_is_text(text):
    assert read_settings(None, DATA, {"ATYPIA_SERVE_HOST": text}).host == text
