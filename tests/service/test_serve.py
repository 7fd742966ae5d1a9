"""The whole server as its users have it: a process that is started, asked, killed, and started again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from atypia.cli.main import commands

HEADERS = {"X-Atypia": "1"}


class Server:
    """`atypia serve` in a process of its own, at any free port of loopback."""

    def __init__(self, data: Path, *words: object) -> None:
        command = [sys.executable, "-m", "atypia", "serve", *words, "--data", data, "--port", "0"]
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.threads: list[threading.Thread] = []
        self.said: list[str] = []
        self.log: list[str] = []
        for stream, kept in ((self.process.stdout, self.said), (self.process.stderr, self.log)):
            self.threads.append(threading.Thread(target=kept.extend, args=(stream,), daemon=True))
            self.threads[-1].start()

    @property
    def url(self) -> str:
        until(lambda: any("Atypia reads at" in line for line in self.said), self)
        return re.search(r"http://\S+", "".join(self.said)).group()

    def jobs(self) -> dict[str, dict]:
        answer = httpx.get(f"{self.url}/api/v1/jobs", params={"limit": 100})
        return {job["id"]: job for job in answer.raise_for_status().json()["items"]}

    def send(self, *contents: bytes) -> str:
        files = [("files", (f"DOE^JOHN{i}.png", content)) for i, content in enumerate(contents)]
        answer = httpx.post(f"{self.url}/api/v1/jobs", files=files, headers=HEADERS, timeout=60)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def end(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(30)


def until(true: Callable[[], bool], server: Server, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert server.process.poll() is None, "".join(server.log)
        assert time.monotonic() < end, "".join(server.log)
        time.sleep(0.1)


@pytest.fixture
def started(tmp_path: Path, screener_file: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*words: object) -> Server:
        servers.append(Server(tmp_path / "data", screener_file, "--threads", 1, *words))
        return servers[-1]

    yield start
    for server in servers:
        with suppress(ProcessLookupError):
            os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait(30)
        for thread in server.threads:
            thread.join(10)
        server.process.stdout.close()
        server.process.stderr.close()


def all_ended(server: Server, jobs: list[str]) -> bool:
    return all(server.jobs()[job]["state"] not in ("queued", "running") for job in jobs)


@pytest.mark.slow
def test_a_killed_server_goes_on_where_it_was_and_ends_at_a_signal(started, head_png, tmp_path):
    first = started()
    jobs = [first.send(*(head_png(20 * number + seed) for seed in range(20))) for number in range(6)]
    until(lambda: any(job["state"] == "running" for job in first.jobs().values()), first)
    first.end(signal.SIGKILL)
    second = started()
    until(lambda: all_ended(second, jobs), second)
    assert {job: told["state"] for job, told in second.jobs().items()} == dict.fromkeys(jobs, "done")
    page = httpx.get(f"{second.url}/api/v1/findings", params={"limit": 1}).json()
    assert page["total"] == 120
    assert all(sum(told["findings"].values()) == 20 for told in second.jobs().values())

    begun = time.monotonic()
    assert second.end(signal.SIGTERM) == 0
    assert time.monotonic() - begun < 10
    data = tmp_path / "data"
    assert len(list((data / "findings").iterdir())) == 120
    assert list((data / "tmp").iterdir()) == []
    assert data.stat().st_mode & 0o077 == 0

    said, log = "".join(second.said), "".join(first.log + second.log)
    assert "Research use only" in said
    assert "Everyone on this machine may use it" in said
    assert all(json.loads(line) for line in second.log)
    assert "DOE" not in log
    assert str(tmp_path) not in log


def test_only_one_server_has_a_data_folder_of_its_own(tmp_path, screener_file, monkeypatch):
    from atypia.destination import held

    monkeypatch.setenv("PYTHONWARNINGS", "default")
    (tmp_path / "data").mkdir()
    with held(tmp_path / "data"):
        result = CliRunner().invoke(commands, ["serve", str(screener_file), "--data", str(tmp_path / "data")])
    assert result.exit_code == 2
    assert "no other server uses" in result.output


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(commands, ["serve", *map(str, words)])
    return result.exit_code, result.output


def test_off_loopback_it_does_not_start_without_tokens(tmp_path, screener_file):
    code, told = run(screener_file, "--data", tmp_path / "data", "--host", "0.0.0.0", "--port", 0)
    assert code == 2
    assert "atypia tokens add" in told


def test_what_cannot_be_served_is_told_before_it_starts(tmp_path, quick_file):
    data = ("--data", tmp_path / "data", "--port", 0)
    for words, code, told in (
        ([tmp_path / "missing.atypia", *data], 2, "missing.atypia"),
        ([quick_file, *data, "--host", "192.0.2.1"], 2, "192.0.2.1"),
        ([quick_file, *data, "--database", "mysql://a@b/c"], 2, "--database"),
        ([quick_file, *data, "--config", tmp_path / "none.toml"], 2, "none.toml"),
        ([quick_file, *data, "--tls-cert", "a.pem"], 2, "--tls-key"),
    ):
        assert run(*words)[0] == code
        assert told in run(*words)[1]


def test_a_file_that_is_no_screener_is_not_registered(tmp_path):
    (tmp_path / "bad.atypia").write_bytes(b"no zip")
    code, told = run(tmp_path / "bad.atypia", "--data", tmp_path / "data", "--port", 0)
    assert code == 3
    assert "saved Screener" in told


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    for name in list(sys.modules):
        if name.startswith("atypia.service"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    code, told = run()
    assert code == 4
    assert 'pip install "atypia[serve]"' in told


def test_help_loads_nothing_of_the_service():
    code = "from atypia.cli import main; import sys; main(['serve', '--help'], standalone_mode=False)"
    code += "; print('loaded', *sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = set(out.splitlines()[-1].split())
    assert not {"fastapi", "sqlalchemy", "uvicorn", "pydantic", "pynetdicom", "numpy"} & loaded
