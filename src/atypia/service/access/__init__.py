"""Who may do what on the web side of the service, what a browser may do with it, and who did what.

`install` puts three layers around an app. The outermost, `shell`, refuses misshapen calls and strange hosts
and gives every answer its headers. The next, there only where it is asked for, is CORS. The innermost,
`guard`, finds out who calls, refuses what a foreign page sent, what is too much and what is too long, and
writes the audit log. Routes say with `require` which role they need, or with `public` that they need none.

Names are found when they are first asked for, so that settings can be read without a web framework.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atypia.service.access.around import install, is_required, kinds
    from atypia.service.access.audit import record
    from atypia.service.access.exposure import check_exposure, server_options
    from atypia.service.access.users import User, current_user, note, public, require, user_of

__all__ = [
    "User",
    "check_exposure",
    "current_user",
    "install",
    "is_required",
    "kinds",
    "note",
    "public",
    "record",
    "require",
    "server_options",
    "user_of",
]

_HOME = {
    "User": "users",
    "check_exposure": "exposure",
    "current_user": "users",
    "install": "around",
    "is_required": "around",
    "kinds": "around",
    "note": "users",
    "public": "users",
    "record": "audit",
    "require": "users",
    "server_options": "exposure",
    "user_of": "users",
}


def __getattr__(name: str) -> Any:
    """Find a name of this room in its module."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
