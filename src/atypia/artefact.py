"""The saved Screener: one zip of JSON, ONNX graphs and plain arrays; nothing is executed or unpickled."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.atomic import atomic
from atypia.errors import CorruptArtefact, NewerArtefact

FORMAT = 2
HEAD = "screener.json"
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
LARGEST_HEAD = 64 * 2**20
AGAIN = "Copy the file again, or make it anew with 'atypia fit'."

# What Python's zip reader raises for damaged files of one kind or another.
_DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, OverflowError)


@dataclass(frozen=True, eq=False)
class Artefact:
    """What a file holds: `head` as JSON values, `arrays` and `graphs` by name."""

    head: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    graphs: dict[str, bytes]


def write_artefact(artefact: Artefact, path: Path) -> None:
    """Write a file, the same bytes for the same content; raise OutputError, an older file being kept."""
    members = {f"graphs/{name}.onnx": graph for name, graph in sorted(artefact.graphs.items())}
    members |= {f"arrays/{name}.npy": _array_bytes(a) for name, a in sorted(artefact.arrays.items())}
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    head = {"format": FORMAT, **artefact.head, "sha256": hashes}
    text = json.dumps(head, indent=1, allow_nan=False) + "\n"
    with atomic(path) as temporary, temporary.open("wb") as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(_entry(HEAD, zipfile.ZIP_DEFLATED), text.encode())
            for name, data in members.items():
                archive.writestr(_entry(name, zipfile.ZIP_STORED), data)
        file.flush()
        os.fsync(file.fileno())


def read_artefact(path: Path) -> Artefact:
    """Read and verify a file; raise CorruptArtefact or NewerArtefact."""
    try:
        with zipfile.ZipFile(path) as archive:
            head = _read_head(archive, path)
            hashes = head.pop("sha256")
            members = {name: _read_stored(archive, name, path) for name in hashes}
    except FileNotFoundError as error:
        raise CorruptArtefact(f"{path}: expected a saved Screener, received no such file.") from error
    except _DAMAGE as error:
        raise CorruptArtefact(
            f"{path}: expected a saved Screener (a zip with {HEAD}), received something else or a damaged "
            f"file ({error}). {AGAIN}"
        ) from error
    for name, data in members.items():
        if hashlib.sha256(data).hexdigest() != hashes[name]:
            raise CorruptArtefact(f"{path}: {name} is not what was saved (its hash differs). {AGAIN}")
    del head["format"]
    return Artefact(head, _arrays(members, path), _graphs(members))


def _entry(name: str, compression: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, FIXED_TIME)
    info.compress_type = compression
    info.external_attr = 0o644 << 16
    return info


def _read_head(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    """Return the head with its keys `format`, as a number, and `sha256`, from name of a member to hash."""
    try:
        head = json.loads(_member(archive, HEAD, path, LARGEST_HEAD))
        version, hashes = int(head["format"]), head["sha256"]
    except (KeyError, ValueError, TypeError) as error:
        raise CorruptArtefact(
            f"{path}: expected a saved Screener; its {HEAD} cannot be used ({error}). {AGAIN}"
        ) from error
    if version > FORMAT:
        raise NewerArtefact(
            f"{path}: saved in format {version} by Atypia {head.get('atypia', '?')}; this version reads "
            f"formats up to {FORMAT}. Update Atypia: pip install --upgrade atypia"
        )
    if not isinstance(hashes, dict):
        raise CorruptArtefact(f"{path}: {HEAD} lists no members. {AGAIN}")
    return dict(head)


def _read_stored(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    """Read a member as Atypia stores it: not compressed, so that none is larger than the file itself."""
    return _member(archive, name, path, path.stat().st_size)


def _member(archive: zipfile.ZipFile, name: str, path: Path, largest: int) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError as error:
        raise CorruptArtefact(f"{path}: {name} is missing. {AGAIN}") from error
    if info.file_size > largest:
        raise CorruptArtefact(
            f"{path}: {name} is larger than any that Atypia writes ({info.file_size} bytes). {AGAIN}"
        )
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise CorruptArtefact(f"{path}: {name} is packed as Atypia never does. {AGAIN}")
    try:
        return archive.read(info)
    except _DAMAGE as error:
        raise CorruptArtefact(f"{path}: {name} is damaged ({error}). {AGAIN}") from error


def _array_bytes(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _arrays(members: dict[str, bytes], path: Path) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for name, data in members.items():
        if name.startswith("arrays/"):
            try:
                array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
            except (ValueError, TypeError, EOFError, OverflowError, MemoryError) as error:
                raise CorruptArtefact(f"{path}: {name} is not a plain array ({error}). {AGAIN}") from error
            arrays[Path(name).stem] = array
    return arrays


def _graphs(members: dict[str, bytes]) -> dict[str, bytes]:
    return {Path(name).stem: data for name, data in members.items() if name.startswith("graphs/")}
