"""The machine: what computes, how much room there is, and what may be written."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from atypia.atomic import write_whole
from atypia.cache import cache_folder, cache_limit
from atypia.doctor.check import Check, note, ok, problem
from atypia.errors import OutputError
from atypia.processors import memory, usable

GIB = 2**30
LITTLE_DISK, LITTLE_MEMORY = 2 * GIB, 3 * GIB
FIRST_RELEASE = datetime(2025, 1, 1, tzinfo=UTC)


def runtimes() -> Iterator[Check]:
    """Tell what runs networks, and on what."""
    import onnxruntime

    from atypia.onnx_session import device

    told = f"ONNX Runtime {onnxruntime.__version__} on {device()}"
    if find_spec("openvino") is not None:
        from importlib.metadata import version

        told += f", OpenVINO {version('openvino')}"
    yield ok("runtimes", told)


def telemetry() -> Iterator[Check]:
    """Tell whether a library would report its use: none may, unless the user has said so."""
    said = os.environ.get("ORT_DISABLE_TELEMETRY")
    if said == "1":
        yield ok("telemetry", "that of ONNX Runtime is off")
    else:
        yield note(
            "telemetry", f"ONNX Runtime may tell its maker of use: ORT_DISABLE_TELEMETRY is {said!r}, not '1'"
        )


def resources() -> Iterator[Check]:
    """Tell processors, memory and disk."""
    room, folder = memory(), _there(cache_folder())
    free = shutil.disk_usage(folder).free
    told = f"{usable()} processors, {room / GIB:.1f} GiB of memory, {free / GIB:.0f} GiB free under {folder}"
    if free < LITTLE_DISK:
        yield problem("machine", f"{told}. Make room there, or set ATYPIA_CACHE to another folder.")
    elif room < LITTLE_MEMORY:
        yield note("machine", f"{told}. Training networks may need more memory.")
    else:
        yield ok("machine", told)
    limit = cache_limit()
    if limit > free:
        yield note(
            "machine", f"the cache may grow to {limit / GIB:g} GiB, more than is free: ATYPIA_CACHE_LIMIT"
        )


def clock() -> Iterator[Check]:
    """Tell whether the clock can be right: certificates, tokens and signatures depend on it."""
    now = datetime.now(UTC)
    before, start = time.monotonic(), time.time()
    time.sleep(0.05)
    drift = abs((time.time() - start) - (time.monotonic() - before))
    told = now.isoformat(timespec="seconds")
    if now < FIRST_RELEASE:
        yield problem("clock", f"{told} is before this was made. Set the clock of the machine.")
    elif drift > 1:
        yield problem("clock", f"{told}, and it jumps. Look at what sets the clock of the machine.")
    else:
        yield ok("clock", told)


def writing(out: Path | None) -> Iterator[Check]:
    """Tell whether files can be written to the cache, to the temporary folder, and to `out`."""
    folders = {"cache": cache_folder(), "temporary folder": Path(tempfile.gettempdir())}
    if out is not None:
        folders["output"] = out
    written = []
    for name, folder in folders.items():
        made = not folder.exists()
        probe = folder / f".atypia-doctor-{os.getpid()}"
        try:
            write_whole(probe, b"0" * 4096)
        except OutputError as error:
            yield problem("writing", f"{name}: {error}")
            continue
        probe.unlink()
        if made and name == "output":
            folder.rmdir()
        written.append(f"{name} {folder}")
    if written:
        yield ok("writing", ", ".join(written))


def _there(folder: Path) -> Path:
    """Return the folder, or the next one above it that exists."""
    return next((place for place in (folder, *folder.parents) if place.exists()), Path.cwd())
