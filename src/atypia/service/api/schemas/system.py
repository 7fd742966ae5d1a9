"""The shapes of what a server tells of itself."""

from __future__ import annotations

from typing import Literal

from atypia.service.api.schemas.jobs import DicomResult
from atypia.service.api.schemas.shapes import Shape


class Limits(Shape):
    """What one request may hold."""

    upload_bytes: int
    files_per_job: int
    screener_bytes: int


class Who(Shape):
    """Who asks."""

    name: str
    role: str


class Auth(Shape):
    """Whether one must say who one is, and how."""

    required: bool
    kinds: list[str]
    user: Who | None


class NodeAbout(Shape):
    """Where studies are received."""

    ae_title: str
    port: int
    results: list[DicomResult]


class About(Shape):
    """What this server is."""

    version: str
    notice: str
    limits: Limits
    formats: list[str]
    auth: Auth
    node: NodeAbout | None
    keeps_names: bool
    path_jobs: bool
    requires_signature: bool


class Ready(Shape):
    """Whether the server can take jobs, check by check."""

    status: Literal["ready", "not ready"]
    checks: dict[str, bool]


class Alive(Shape):
    """The server answers."""

    status: Literal["ok"] = "ok"
