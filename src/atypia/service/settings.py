"""What can be set of the service: from a TOML file, over it the environment, over it the command line."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atypia.errors import BadOption
from atypia.service.access.settings import AccessSettings
from atypia.service.node.settings import NodeSettings, Peer

PREFIX = "ATYPIA_SERVE_"
MIB, GIB = 2**20, 2**30
LONGEST_DAYS = 100_000


@dataclass(frozen=True)
class Limits:
    """How much one request, one archive and one job may hold, and how long things may take."""

    upload_bytes: int = 2 * GIB
    """Of one request, all files together."""
    files_per_job: int = 5_000
    """Uploaded at once, and scans of a job by path."""
    archive_entries: int = 20_000
    archive_bytes: int = 8 * GIB
    """Of an archive, unpacked."""
    archive_ratio: float = 200.0
    """Unpacked to packed; small archives may go beyond, up to 64 MiB unpacked."""
    picture_pixels: int = 32 * MIB
    """Of one picture; a larger one is not judged."""
    screener_bytes: int = 2 * GIB
    screener_seconds: float = 120.0
    """Until an uploaded Screener must have been loaded."""
    free_bytes: int = 256 * MIB
    """What uploads leave free on the disk of the data folder."""
    work_bytes: int = 64 * MIB
    """What must be free on it for anything to be judged; until then jobs wait."""
    reserve_bytes: int = 32 * MIB
    """Kept aside there, and given up when it is full, so that one can still look and delete; 0: nothing."""
    queued_jobs: int = 10_000
    """Waiting at once; more are refused until some are done."""
    job_seconds: float = 6 * 3600.0
    """A job that runs longer has failed."""


@dataclass(frozen=True)
class Settings:
    """Everything that can be set of the service; the defaults are those of a laptop."""

    data: Path
    """The folder that the service keeps everything in."""
    database: str | None = None
    """An address as `postgresql+psycopg://USER:PASSWORD@HOST/NAME`; None is SQLite in the data folder."""
    host: str = "127.0.0.1"
    port: int = 8765
    workers: int | None = None
    """Processes that judge; None: as many as the processors and `threads` allow."""
    threads: int | None = None
    """Of each worker; None shares all processors among them."""
    roots: tuple[Path, ...] = ()
    """Folders that jobs may name paths in."""
    healthy: Path | None = None
    """Healthy scans, as folder or table, to show those beside a scan that look most like it."""
    require_signature: Path | None = None
    """A public key of minisign: no Screener is used but those that it has signed."""
    keep_names: bool = False
    """Whether findings carry the names of uploaded files, which may name patients."""
    keep_uploads: bool = True
    """Whether uploads stay until their job is deleted; else they go when it ends."""
    keep_days: float | None = None
    """A study or job that is so old is forgotten, with all that was found of it; None: none is."""
    lease_seconds: float = 60.0
    """A worker that was not heard of for so long has lost its jobs."""
    tries: int = 3
    """How often a job is begun before it has failed."""
    events_days: float = 7.0
    """How long pages can be told what they missed."""
    log_level: str = "info"
    limits: Limits = field(default_factory=Limits)
    access: AccessSettings = field(default_factory=AccessSettings)
    node: NodeSettings = field(default_factory=NodeSettings)
    peers: tuple[Peer, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values that make no sense, with the name of the setting."""
        for name in ("lease_seconds", "tries", "events_days"):
            if not getattr(self, name) > 0:
                raise BadOption(f"{name}: expected a number above 0, received {getattr(self, name)!r}.")
        if self.keep_days is not None and not 0 < self.keep_days <= LONGEST_DAYS:
            raise BadOption(
                f"keep_days: expected a number of days above 0, at most {LONGEST_DAYS}, received "
                f"{self.keep_days!r}."
            )
        for name in ("workers", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BadOption(f"{name}: expected a number from 1, received {value!r}.")
        if not 0 <= self.port <= 65535:
            raise BadOption(f"port: expected a number from 0 to 65535, received {self.port!r}.")
        if self.log_level not in ("debug", "info", "warning", "error"):
            raise BadOption(
                f"log_level: expected debug, info, warning or error, received {self.log_level!r}."
            )


def read_settings(
    file: Path | None,
    given: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
    usual: Mapping[str, Any] | None = None,
) -> Settings:
    """Return the settings of a TOML file (None: no file), the environment and what was `given`.

    The last that names a setting has it, else it is that of `usual`; None in `given` names nothing. A key of
    `given` may lead into a table, as `access.tls_cert`. A variable is called as the setting, with
    ATYPIA_SERVE_ before it and two underscores for each dot: ATYPIA_SERVE_ACCESS__PUBLIC_URL; its value is
    read as TOML, and taken as text where it is none.
    Raises BadOption for a file that cannot be read, a setting that is not known, or a value that is none.
    """
    values = {**(usual or {}), **({} if file is None else _from_file(file))}
    for name, text in sorted((os.environ if environment is None else environment).items()):
        if name.startswith(PREFIX):
            _put(values, name.removeprefix(PREFIX).lower().split("__"), _plain(text))
    for name, value in given.items():
        if value is not None:
            _put(values, name.split("."), value)
    return _checked(values, "the settings" if file is None else str(file))


def _from_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadOption(f"{file}: expected settings in TOML that can be read, received: {error}.") from error


def _plain(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _put(values: dict[str, Any], way: list[str], value: Any) -> None:
    for step in way[:-1]:
        below = values.setdefault(step, {})
        if not isinstance(below, dict):
            raise BadOption(f"{step}: expected a table of settings, received {below!r}.")
        values = below
    values[way[-1]] = value


def _checked(values: dict[str, Any], source: str) -> Settings:
    from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

    adapter = TypeAdapter(with_config(ConfigDict(extra="forbid"))(Settings))
    try:
        return adapter.validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the settings"
        raise BadOption(f"{source}: {where}: {first['msg']}. Known settings: see docs/reference.") from error
