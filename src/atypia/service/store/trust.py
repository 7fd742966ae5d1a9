"""Whose Screeners are used: those alone that a key has signed, where one is demanded."""

from __future__ import annotations

from pathlib import Path

from atypia.atomic import write_whole
from atypia.errors import BadSignature
from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.signing import PublicKey, demand_signature, read_public
from atypia.signing.lines import LARGEST


def key_of(settings: Settings) -> PublicKey | None:
    """Return the key that Screeners must be signed by, None where none is demanded; raise BadSignature."""
    return None if settings.require_signature is None else read_public(settings.require_signature)


def keep_signature(home: Home, sha256: str, signature: Path) -> None:
    """Keep the signature of a Screener beside its file; raise BadSignature, OutputError."""
    with signature.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise BadSignature(
            f"{signature}: expected a signature of minisign, received a file that is too large."
        )
    write_whole(home.signature(sha256), content)


def demand_trusted(settings: Settings, home: Home, sha256: str) -> None:
    """Raise BadSignature unless the key that is demanded, if any, has signed a Screener that is kept.

    What it says names no place of this machine.
    """
    key = key_of(settings)
    if key is None:
        return
    if not home.signature(sha256).is_file():
        raise BadSignature(UNSIGNED)
    try:
        demand_signature(home.screener(sha256), key, home.signature(sha256))
    except BadSignature as error:
        raise BadSignature(UNSIGNED) from error


def is_trusted(settings: Settings, home: Home, sha256: str) -> bool:
    """Tell whether a Screener that is kept may be used."""
    try:
        demand_trusted(settings, home, sha256)
    except BadSignature:
        return False
    return True


UNSIGNED = (
    "This server uses no Screener but those that its key has signed, and this one it has not. Sign it with "
    "'atypia sign', and send it again with its signature."
)
