"""The saved Screener: one zip of JSON, ONNX graphs and plain arrays; nothing in it is executed or unpickled."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atypia.errors import CorruptArtefact, NewerArtefact, OutputError

FORMAT = 1
HEAD = "screener.json"
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
LARGEST_HEAD = 64 * 2**20
LARGEST_MEMBER = 2 * 2**30


@dataclass(frozen=True, eq=False)
class Artefact:
    """What a file holds: `head` as JSON values, `arrays` and `graphs` by name."""

    head: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    graphs: dict[str, bytes]


def write_artefact(artefact: Artefact, path: Path) -> None:
    """Write to a temporary name and rename; raise OutputError, leaving an older file as it was."""
    members = {f"graphs/{name}.onnx": graph for name, graph in sorted(artefact.graphs.items())}
    members |= {f"arrays/{name}.npy": _array_bytes(a) for name, a in sorted(artefact.arrays.items())}
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    head = {"format": FORMAT, **artefact.head, "sha256": hashes}
    members = {HEAD: (json.dumps(head, indent=1, allow_nan=False) + "\n").encode(), **members}
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            with zipfile.ZipFile(file, "w") as archive:
                for name, data in members.items():
                    archive.writestr(_entry(name), data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise OutputError(
            f"{path}: the Screener could not be saved ({error.strerror or error}). "
            "Free some space or choose another place; nothing that was there before has been changed."
        ) from error


def read_artefact(path: Path) -> Artefact:
    """Read and verify a file; raise CorruptArtefact or NewerArtefact."""
    try:
        with zipfile.ZipFile(path) as archive:
            head = _read_head(archive, path)
            members = {name: _read_member(archive, name, path) for name in head["sha256"]}
    except FileNotFoundError as error:
        raise CorruptArtefact(f"{path}: expected a saved Screener, received no such file.") from error
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise CorruptArtefact(
            f"{path}: expected a saved Screener (a zip with {HEAD}), received something else or a damaged "
            f"file ({error}). Copy it again, or make it anew with 'atypia fit'."
        ) from error
    for name, data in members.items():
        if hashlib.sha256(data).hexdigest() != head["sha256"][name]:
            raise CorruptArtefact(
                f"{path}: {name} is not what was saved (its hash differs). Copy the file again, or fit anew."
            )
    return Artefact(head, _arrays(members, path), _graphs(members))


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, FIXED_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED if name == HEAD else zipfile.ZIP_STORED
    info.external_attr = 0o644 << 16
    return info


def _read_head(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    try:
        if archive.getinfo(HEAD).file_size > LARGEST_HEAD:
            raise CorruptArtefact(f"{path}: {HEAD} is larger than any that Atypia writes.")
        head = json.loads(archive.read(HEAD))
        version, hashes = int(head["format"]), head["sha256"]
    except (KeyError, ValueError, TypeError) as error:
        raise CorruptArtefact(
            f"{path}: expected a saved Screener; its {HEAD} cannot be used ({error})."
        ) from error
    if version > FORMAT:
        raise NewerArtefact(
            f"{path}: saved in format {version} by Atypia {head.get('atypia', '?')}; this version reads "
            f"formats up to {FORMAT}. Update Atypia: pip install --upgrade atypia"
        )
    if not isinstance(hashes, dict):
        raise CorruptArtefact(f"{path}: {HEAD} lists no members.")
    return dict(head)


def _read_member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    try:
        if archive.getinfo(name).file_size > LARGEST_MEMBER:
            raise CorruptArtefact(f"{path}: {name} is larger than any that Atypia writes.")
        return archive.read(name)
    except KeyError as error:
        raise CorruptArtefact(f"{path}: {name} is missing. Copy the file again, or fit anew.") from error


def _array_bytes(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _arrays(members: dict[str, bytes], path: Path) -> dict[str, NDArray[Any]]:
    arrays = {}
    for name, data in members.items():
        if name.startswith("arrays/"):
            try:
                array = np.load(io.BytesIO(data), allow_pickle=False)
            except (ValueError, EOFError) as error:
                raise CorruptArtefact(f"{path}: {name} is not a plain array ({error}).") from error
            arrays[Path(name).stem] = array
    return arrays


def _graphs(members: dict[str, bytes]) -> dict[str, bytes]:
    return {Path(name).stem: data for name, data in members.items() if name.startswith("graphs/")}
