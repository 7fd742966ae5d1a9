"""Who made a file: detached Ed25519 signatures, as minisign writes and verifies them."""

from __future__ import annotations

from atypia.signing.keys import PublicKey, SecretKey, new_key, read_public, read_secret, write_keys
from atypia.signing.signature import demand_signature, sign_file, signature_path

__all__ = [
    "PublicKey",
    "SecretKey",
    "demand_signature",
    "new_key",
    "read_public",
    "read_secret",
    "sign_file",
    "signature_path",
    "write_keys",
]
