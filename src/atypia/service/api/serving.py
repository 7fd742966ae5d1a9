"""What the routes of one server share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from atypia.service.api.hub import Hub
from atypia.service.api.meters import Meters
from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.service.store.database import Store


@dataclass(frozen=True)
class Serving:
    """Settings, the database, the data folder, what wakes workers, what tells pages, and what is counted."""

    settings: Settings
    store: Store
    home: Home
    wake: Callable[[], None]
    hub: Hub
    meters: Meters


async def serving(request: Request) -> Serving:
    """Return what the app of a request shares; no thread is needed for that."""
    found = request.app.state.serving
    assert isinstance(found, Serving)
    return found


Here = Annotated[Serving, Depends(serving)]
