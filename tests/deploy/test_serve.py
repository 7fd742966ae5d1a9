"""How the reading room is deployed: linted, held to a schema, to the settings, and to each other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "serve"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SCHEMA = json.loads(Path(__file__).with_name("compose.schema.json").read_text(encoding="utf-8"))
UNIT = (FOLDER / "atypia.service").read_text(encoding="utf-8")
ORTHANC = json.loads((FOLDER / "orthanc.json").read_text(encoding="utf-8"))


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, continued lines joined, comments left out."""
    lines = [line for line in DOCKERFILE.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split()[0], line.partition(" ")[2]) for line in joined.splitlines() if line.strip()]


def told(name: str) -> list[str]:
    return [value for word, value in instructions() if word == name]


def settings() -> Any:
    from atypia.service.settings import read_settings

    return read_settings(FOLDER / "atypia.toml", {}, {})


def test_the_image_is_built_in_stages_of_a_pinned_base():
    bases = [value.split()[0] for value in told("FROM")]
    assert len(bases) == 2
    assert all(re.search(r":\d+\.\d+\.\d+-slim", base) for base in bases)
    last = [word for word, _ in instructions()][::-1].index("FROM")
    assert all(word != "RUN" or "pip" not in value for word, value in instructions()[-last:])
    assert any("--from=build" in value for value in told("COPY"))


def test_the_image_fetches_nothing_unpinned_and_runs_as_nobody_special():
    assert told("ADD") == []
    assert not re.search(
        r"https?://", " ".join(value for word, value in instructions() if word != "HEALTHCHECK")
    )
    assert not any(word in value for value in told("RUN") for word in ("sudo", "curl", "latest", "chmod 777"))
    assert all("--constraint" in value for value in told("RUN") if "pip install" in value)
    assert told("USER") == ["atypia"]
    assert [word for word, _ in instructions()].index("USER") < [word for word, _ in instructions()].index(
        "CMD"
    )
    assert not any(re.search("password|secret|token", value, re.IGNORECASE) for value in told("ENV"))
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", DOCKERFILE)
    assert set(extras.split(",")) <= set(PROJECT["project"]["optional-dependencies"])
    for value in told("COPY"):
        sources = [
            word for word in value.split()[:-1] if not word.startswith("--from") and word != "/opt/atypia"
        ]
        assert all((ROOT / name).exists() for name in sources)


def test_the_image_tells_whether_it_is_well_and_ends_in_time():
    (check,) = told("HEALTHCHECK")
    code = json.loads(check[check.index("CMD ") + 4 :])[2]
    compile(code, "healthcheck", "exec")
    assert f":{settings().port}/healthz" in code
    assert told("STOPSIGNAL") == ["SIGTERM"]
    assert told("EXPOSE") == [f"{settings().port} {settings().node.port}"]
    assert all(value.startswith("[") for value in (*told("CMD"), *told("ENTRYPOINT")))


def test_its_command_can_be_typed():
    from atypia.cli.serve import serve

    (command,) = map(json.loads, told("CMD"))
    assert command[0] == "serve"
    assert serve.make_context("serve", command[1:]).params["config"] == Path(settings_place())


def settings_place() -> str:
    return next(value.split()[1] for value in told("COPY") if "atypia.toml" in value)


def test_the_compose_file_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(COMPOSE, SCHEMA)
    used = {network for service in COMPOSE["services"].values() for network in service["networks"]}
    assert used == set(COMPOSE["networks"])
    for service in COMPOSE["services"].values():
        assert set(service.get("depends_on", {})) <= set(COMPOSE["services"])
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (FOLDER / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_the_compose_file_holds_no_secret_and_shows_the_database_to_nobody():
    assert COMPOSE["networks"]["store"]["internal"]
    assert "ports" not in COMPOSE["services"]["postgres"]
    for service in COMPOSE["services"].values():
        for value in service.get("environment", {}).values():
            assert "password" not in value.lower() or "${POSTGRES_PASSWORD:?" in value
    ours = COMPOSE["services"]["atypia"]
    assert ours["read_only"]
    assert ours["cap_drop"] == ["ALL"]
    assert ours["image"] == f"atypia-serve:{PROJECT['project']['version']}"
    assert f"-t {ours['image']} ." in DOCKERFILE
    assert (FOLDER / ours["build"]["context"]).resolve() == ROOT
    assert (ROOT / ours["build"]["dockerfile"]).exists()


def test_archive_and_node_know_each_other():
    ours = settings()
    title, host, port = ORTHANC["DicomModalities"]["atypia"]
    assert (title, port) == (ours.node.ae_title, ours.node.port)
    assert ORTHANC["DicomAet"] in ours.node.callers
    (peer,) = ours.peers
    assert (peer.host, peer.port, peer.ae_title) == ("orthanc", ORTHANC["DicomPort"], ORTHANC["DicomAet"])
    assert {host, peer.host} <= set(COMPOSE["services"])
    assert "'/modalities/atypia/store'" in (FOLDER / "to-atypia.lua").read_text()
    from sqlalchemy import make_url

    url = make_url(
        COMPOSE["services"]["atypia"]["environment"]["ATYPIA_SERVE_DATABASE"]
        .replace("${", "")
        .replace("}", "")
    )
    known = COMPOSE["services"][url.host]["environment"]
    assert (url.username, url.database) == (known["POSTGRES_USER"], known["POSTGRES_DB"])


def test_what_is_commented_out_can_be_used(tmp_path):
    from atypia.service.settings import read_settings

    lines = (FOLDER / "atypia.toml").read_text().splitlines()
    plain = [re.sub(r"^# (\[\[|\w+ = )", r"\1", line) for line in lines]
    (tmp_path / "all.toml").write_text("\n".join(plain))
    whole = read_settings(tmp_path / "all.toml", {}, {})
    assert [peer.kind for peer in whole.peers] == ["dicom", "stow"]
    assert whole.database is not None
    assert whole.access.public_url.startswith("https://")


HARDENED = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "CapabilityBoundingSet": "",
    "RestrictSUIDSGID": "yes",
    "SystemCallArchitectures": "native",
    "User": "atypia",
}


def test_the_unit_is_hardened():
    values = dict(re.findall(r"^(\w+)=(.*)$", UNIT, re.MULTILINE))
    assert {name: values[name] for name in HARDENED} == HARDENED
    assert values["ExecStart"].endswith(f"serve --config {settings_place()}")
    assert str(settings().data) == f"/var/lib/{values['StateDirectory']}"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with programs that are here."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    file = tmp_path / "atypia.service"
    file.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", UNIT, flags=re.MULTILINE))
    return file


def test_systemd_finds_no_fault_with_the_unit(unit):
    command = ["systemd-analyze", "verify", "--recursive-errors=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "atypia.service" not in done.stderr


def test_systemd_says_that_the_unit_is_little_exposed(unit):
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=30", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr
