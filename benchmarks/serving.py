"""A server of its own for the benchmarks of the service: started, asked, killed, and started again."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx

HEADERS = {"X-Atypia": "1"}


class Server:
    """`atypia serve` at a free port of loopback, with its usual limits."""

    def __init__(self, data: Path, *words: object) -> None:
        command = [
            sys.executable,
            "-m",
            "atypia",
            "serve",
            *map(str, words),
            "--data",
            str(data),
            "--port",
            "0",
        ]
        self.process = subprocess.Popen(
            [*command, "--log-level", "error"],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.url = self._address()
        self.client = httpx.Client(
            base_url=self.url, headers=HEADERS, timeout=120, limits=httpx.Limits(max_connections=64)
        )

    def _address(self) -> str:
        said = ""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said += line
            if found := re.search(r"reads at (http\S+)", said):
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return found[1]
        raise SystemExit(f"the server did not start: {said}")

    def send(self, file: Path) -> str:
        """Upload a picture, and return its job; raise for a refusal."""
        with file.open("rb") as content:
            answer = self.client.post("/api/v1/jobs", files={"files": (file.name, content)})
        return str(answer.raise_for_status().json()["id"])

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Return all jobs by their identifiers."""
        found: dict[str, dict[str, Any]] = {}
        cursor: dict[str, str] = {}
        while True:
            page = self.client.get("/api/v1/jobs", params={"limit": 200, **cursor}).raise_for_status().json()
            found |= {job["id"]: job for job in page["items"]}
            if not page["next"]:
                return found
            cursor = {"cursor": page["next"]}

    def until_ended(self, jobs: set[str], seconds: float = 170.0) -> dict[str, float]:
        """Wait until these jobs have ended, and return when each was seen to have."""
        seen: dict[str, float] = {}
        end = time.monotonic() + seconds
        while jobs - seen.keys() and time.monotonic() < end:
            told = self.jobs()
            moment = time.perf_counter()
            for job in jobs - seen.keys():
                if job in told and told[job]["state"] in ("done", "failed", "cancelled"):
                    seen[job] = moment
            time.sleep(0.1)
        return seen

    def workers(self) -> list[int]:
        """Return the processes of its workers."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        mine = [int(word) for path in threads for word in path.read_text().split()]
        return [pid for pid in mine if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def kill(self) -> None:
        """Kill the server alone; its workers notice."""
        self.process.kill()
        self.process.wait()
        self.client.close()

    def end(self) -> float:
        """End it by a signal, and return how long that took."""
        begun = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.client.close()
        return time.perf_counter() - begun
