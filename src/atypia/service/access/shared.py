"""What the guard and the routes of one server share, and the threads that wait for its database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from atypia.service.access.audit import AuditLog, Told
from atypia.service.access.hosts import origin_of
from atypia.service.access.identity import Identity
from atypia.service.access.limits import AtOnce, Buckets
from atypia.service.access.provider import Provider
from atypia.service.settings import Settings
from atypia.service.store.database import Store
from atypia.service.together import Together

Value = TypeVar("Value")

_reading, _writing = ThreadPoolExecutor(4, "access"), ThreadPoolExecutor(2, "audit")


class Access:
    """What the guard and the routes of one server share."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings, self.store = settings, store
        self.identity = Identity(settings, store)
        self.log = AuditLog(store, settings.access.audit_days)
        self._telling = Together(_writing, self._tell)
        self.failures = Buckets(settings.access.failures_per_minute)
        self.requests = Buckets(settings.access.requests_per_minute)
        self.uploads = Buckets(settings.access.uploads_per_minute)
        each, streams = settings.access.concurrent_uploads, settings.access.concurrent_streams
        self.uploading = AtOnce(each, 4 * each, settings.access.upload_wait_seconds)
        self.streaming = AtOnce(streams, 8 * streams)
        self.provider = Provider(settings.access.oidc) if settings.access.oidc is not None else None
        named = (settings.access.public_url, *settings.access.cors_origins)
        origins = [origin_of(text) for text in named]
        self.own = frozenset(origin for origin in origins[:1] if origin is not None)
        self.cors = frozenset(origin for origin in origins[1:] if origin is not None)

    async def tell(self, told: Told) -> None:
        """Write to the audit log, in threads of its own: who waits to write keeps nobody from reading.

        Those that wait at once are written at once.
        """
        await asyncio.wrap_future(self._telling.submit(told))

    def _tell(self, told: Sequence[Told]) -> Sequence[None]:
        self.log.write(told)
        return [None] * len(told)

    def kinds(self) -> list[str]:
        """Return the ways to log in that are offered."""
        return ["token", "oidc"] if self.settings.access.oidc is not None else ["token"]


async def in_thread(work: Callable[[], Value]) -> Value:
    """Do what waits for the database in a thread of our own, which slow routes do not keep busy."""
    return await asyncio.get_running_loop().run_in_executor(_reading, work)
