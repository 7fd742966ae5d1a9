"""Screeners as files by their hash, and what is known of each without loading it again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from atypia.errors import ArtefactError, CorruptArtefact
from atypia.screening.making import hash_of
from atypia.service.home import Home
from atypia.service.store import events
from atypia.service.store.models import Screener

SECONDS = 120.0


def describe(file: Path, seconds: float = SECONDS) -> dict[str, Any]:
    """Return what there is to know of the file of a Screener, which is loaded in a process of its own.

    The file need not be trusted: the process has limits of time and memory, and only text comes back from it.
    Raises ArtefactError where the file is no Screener, or one that cannot judge.
    """
    command = [sys.executable, "-P", "-m", "atypia.service.work.describing", str(file)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False, env=_environment())
    except subprocess.TimeoutExpired as error:
        raise CorruptArtefact(
            f"Expected a Screener that is loaded within {seconds:g} s; it was not. Did Atypia save it?"
        ) from error
    try:
        told = json.loads(done.stdout)
    except ValueError as error:
        raise CorruptArtefact(
            f"Expected a Screener that can be loaded; what tried it ended with code {done.returncode}."
        ) from error
    if "error" in told:
        raise ArtefactError(str(told["error"]))
    return dict(told)


def _environment() -> dict[str, str]:
    """Return what the process needs of our environment, and no secret of it."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH", "PYTHONPATH", "ATYPIA_CACHE")
    return {name: os.environ[name] for name in kept if name in os.environ}


def keep(home: Home, file: Path) -> str:
    """Copy a file to where Screeners lie, by its hash, and return that; replace one that is damaged there."""
    sha256 = hash_of(file)
    place = home.screener(sha256)
    if not place.exists() or hash_of(place) != sha256:
        fresh = home.fresh()
        try:
            shutil.copyfile(file, fresh)
            if hash_of(fresh) != sha256:
                raise CorruptArtefact(
                    f"{file.name}: expected a file that stays as it is; it changed meanwhile."
                )
            fresh.replace(place)
        finally:
            fresh.unlink(missing_ok=True)
    return sha256


def register(
    session: Session,
    sha256: str,
    told: dict[str, Any],
    *,
    name: str,
    size: int,
    default: bool | None = None,
    replaces: str | None = None,
) -> Screener:
    """Return the row of a Screener whose file is kept; one that is there already comes back as it is.

    `told` is from `describe`. `default` makes it the one that jobs get that name none; None does so where
    there is no other.
    """
    known = session.scalars(select(Screener).where(Screener.sha256 == sha256)).first()
    if known is None:
        known = Screener(
            name=name[:200],
            sha256=sha256,
            detector=told["detector"],
            version=told["version"],
            rule=told["rule"],
            parameter=told["parameter"],
            threshold=told["value"],
            guarantee=told["guarantee"],
            details=told["details"],
            bytes=size,
            replaces=replaces,
        )
        session.add(known)
        session.flush()
        events.emit(session, "screener", known.id)
    if default or (default is None and default_of(session) is None):
        make_default(session, known)
    return known


def make_default(session: Session, screener: Screener) -> None:
    """Let a Screener be the one that jobs get that name none."""
    session.execute(
        update(Screener).where(Screener.default, Screener.id != screener.id).values(default=False)
    )
    screener.default, screener.retired = True, False
    events.emit(session, "screener", screener.id)


def default_of(session: Session) -> Screener | None:
    """Return the Screener that jobs get that name none."""
    return session.scalars(select(Screener).where(Screener.default, ~Screener.retired)).first()
