"""Keeps the remarks of reading libraries on odd metadata from the user, who can do nothing about them."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.RLock()

# Without a handler Python would print on the user's screen what Pillow logs of a damaged file.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def hush_nibabel() -> None:
    """Keep off the screen what nibabel logs of a header that is odd; reading the file gives the reason."""
    logging.getLogger("nibabel.global").handlers = [logging.NullHandler()]


@contextmanager
def no_warnings() -> Iterator[None]:
    """Silence warnings; filters belong to the process, so one thread at a time.

    They may also quote values of a header, and those may name a patient.
    """
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
