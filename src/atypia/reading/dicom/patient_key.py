"""A patient's group: a hash of the patient's id under a secret key of this installation, never the id."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import platformdirs

_BYTES = 32
# What is written in place of an id by software that removes it: it does not tell patients apart.
_PLACEHOLDERS = {"", "0", "anon", "anonymous", "anonymized", "anonymised", "unknown", "none", "removed"}


def group_of(patient: str, study: str, issuer: str = "") -> str | None:
    """Return the group of a patient; of a study where the id is missing or a placeholder; else None.

    It is the same on every run of this installation, and cannot be turned back without its key.
    """
    if patient.strip().lower() not in _PLACEHOLDERS:
        return "patient-" + _hash(f"patient\0{issuer.strip()}\0{patient.strip()}")
    return "study-" + _hash(f"study\0{study.strip()}") if study.strip() else None


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), key=_key(_key_file()), digest_size=8).hexdigest()


def _key_file() -> Path:
    """Return where the key is; the environment variable ATYPIA_KEY names another file."""
    named = os.environ.get("ATYPIA_KEY")
    return Path(named).expanduser() if named else platformdirs.user_data_path("atypia") / "group.key"


@lru_cache(maxsize=4)
def _key(file: Path) -> bytes:
    """Read the key, or make it; where none can be kept, one that serves this run alone."""
    made = secrets.token_bytes(_BYTES)
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            # Written apart and linked, so that another process never reads half a key.
            part = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
            try:
                with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                    out.write(made)
                file.hardlink_to(part)
            finally:
                part.unlink(missing_ok=True)
        return file.read_bytes()
    return made
