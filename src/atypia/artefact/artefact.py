"""What a file of a Screener holds: written the same for the same content, and verified when it is read."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from atypia.artefact.arrays import from_bytes, to_bytes
from atypia.artefact.container import AGAIN, HEAD, MANIFEST, opened, read_member
from atypia.atomic import atomic
from atypia.errors import CorruptArtefact, NewerArtefact

FORMAT = 3
"""Since 3 the manifest has all hashes, also that of the head; before, the head had those of the others."""
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
HASHES = "sha256"


@dataclass(frozen=True, eq=False)
class Artefact:
    """What a file holds: `head` as JSON values, `arrays` and `graphs` by name."""

    head: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    graphs: dict[str, bytes]


def write_artefact(artefact: Artefact, path: Path) -> None:
    """Write a file, the same bytes for the same content; raise OutputError, an older file being kept."""
    members = {HEAD: _json({"format": FORMAT, **artefact.head})}
    members |= {f"graphs/{name}.onnx": graph for name, graph in sorted(artefact.graphs.items())}
    members |= {f"arrays/{name}.npy": to_bytes(array) for name, array in sorted(artefact.arrays.items())}
    members[MANIFEST] = _json({HASHES: {name: _hash(data) for name, data in members.items()}})
    with atomic(path) as temporary, temporary.open("wb") as file:
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in members.items():
                archive.writestr(_entry(name), data)
        file.flush()
        os.fsync(file.fileno())


def read_artefact(path: Path) -> Artefact:
    """Read and verify a file of this format or an earlier one; raise CorruptArtefact or NewerArtefact.

    The zip is checked as a whole before it is read; then every member is what its hash says, and there is no
    other. That finds damage and exchanged parts; only a signature tells who made the file.
    """
    with opened(path) as archive:
        text = read_member(archive, HEAD, path)
        head = _head(text, path)
        hashes = _hashes(archive, head, path)
        members = {name: read_member(archive, name, path) for name in hashes if name != HEAD}
        unknown = set(archive.namelist()) - {*hashes, HEAD, MANIFEST}
    if unknown:
        raise CorruptArtefact(f"{path}: {min(unknown)} does not belong to what was saved. {AGAIN}")
    for name, data in {HEAD: text, **members}.items():
        if name in hashes and _hash(data) != hashes[name]:
            raise CorruptArtefact(f"{path}: {name} is not what was saved (its hash differs). {AGAIN}")
    del head["format"]
    return Artefact(head, _arrays(members, path), _graphs(members))


def read_head(path: Path) -> dict[str, Any]:
    """Read and verify the head of a file, and nothing else; raise CorruptArtefact or NewerArtefact."""
    with opened(path) as archive:
        text = read_member(archive, HEAD, path)
        head = _head(text, path)
        if _hashes(archive, head, path).get(HEAD, _hash(text)) != _hash(text):
            raise CorruptArtefact(f"{path}: {HEAD} is not what was saved (its hash differs). {AGAIN}")
    return head


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, FIXED_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED if name == HEAD else zipfile.ZIP_STORED
    info.external_attr = 0o644 << 16
    info.create_system = 3  # alike on every system
    return info


def _json(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=1, allow_nan=False) + "\n").encode()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _head(text: bytes, path: Path) -> dict[str, Any]:
    """Return the head with its key `format` as a number."""
    try:
        head = dict(json.loads(text))
        head["format"] = int(head["format"])
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise CorruptArtefact(
            f"{path}: expected a saved Screener; its {HEAD} cannot be used ({error}). {AGAIN}"
        ) from error
    if head["format"] > FORMAT:
        raise NewerArtefact(
            f"{path}: saved in format {head['format']} by Atypia {head.get('atypia', '?')}; this version "
            f"reads formats up to {FORMAT}. Update Atypia: pip install --upgrade atypia"
        )
    return head


def _hashes(archive: zipfile.ZipFile, head: dict[str, Any], path: Path) -> dict[str, str]:
    """Return the hash of every member that belongs to the Screener, by its name; take them from the head."""
    if head["format"] < 3:
        where, hashes = HEAD, head.pop(HASHES, None)
    else:
        where = MANIFEST
        try:
            hashes = json.loads(read_member(archive, MANIFEST, path))[HASHES]
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            raise CorruptArtefact(f"{path}: its {MANIFEST} cannot be used ({error}). {AGAIN}") from error
    if not isinstance(hashes, dict) or (where == MANIFEST and HEAD not in hashes):
        raise CorruptArtefact(f"{path}: {where} lists no members. {AGAIN}")
    return hashes


def _arrays(members: dict[str, bytes], path: Path) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for name, data in members.items():
        if name.startswith("arrays/"):
            try:
                arrays[Path(name).stem] = from_bytes(data)
            except (ValueError, TypeError, EOFError, OverflowError, MemoryError) as error:
                raise CorruptArtefact(f"{path}: {name} is not a plain array ({error}). {AGAIN}") from error
    return arrays


def _graphs(members: dict[str, bytes]) -> dict[str, bytes]:
    return {Path(name).stem: data for name, data in members.items() if name.startswith("graphs/")}
