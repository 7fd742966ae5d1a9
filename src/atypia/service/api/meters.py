"""What Prometheus is told: requests and uploads of this server, and the queue. No identifiers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from atypia.service.node import counters
from atypia.service.store.database import Store
from atypia.service.store.models import (
    JOB_STATES,
    VERDICTS,
    Delivery,
    Finding,
    Instance,
    Job,
    Screener,
    Study,
    now,
)

FRESH_S = 2.0
"""So long what was read of the database is told again: many may scrape."""
RATE_S = 60.0
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Meters:
    """The figures of one server, in a registry of its own."""

    def __init__(self, store: Store) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # when each series began is of no use here, and doubles them
        self.registry = CollectorRegistry()
        self._latency = Histogram(
            "atypia_request_seconds",
            "Time until a response began, by route.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._requests = Counter(
            "atypia_requests",
            "Requests, by route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._bytes = Counter("atypia_upload_bytes", "Bytes of uploads.", registry=self.registry)
        self._files = Counter("atypia_upload_files", "Files of uploads.", registry=self.registry)
        self._refused = Counter(
            "atypia_uploads_refused", "Uploads refused, by status.", ("status",), registry=self.registry
        )
        self.streams = Gauge("atypia_event_streams", "Pages that are told of events.", registry=self.registry)
        self.registry.register(_OfDatabase(store))
        for counter in counters.ALL:
            self.registry.register(counter)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is a template, and never what was asked for."""
        self._latency.labels(method, route).observe(seconds)
        self._requests.labels(method, route, str(status)).inc()

    def uploaded(self, size: int, files: int) -> None:
        """Count an upload."""
        self._bytes.inc(size)
        self._files.inc(files)

    def refused(self, status: int) -> None:
        """Count an upload that was refused."""
        self._refused.labels(str(status)).inc()


class _OfDatabase(Collector):
    """Figures that all servers on one database share, read when they are asked for."""

    def __init__(self, store: Store) -> None:
        self._store, self._lock = store, Lock()
        self._read_at, self._last = -FRESH_S, list[Metric]()

    def describe(self) -> Iterable[Metric]:
        """Tell nothing beforehand: the database is not asked when the registry is made."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return the figures."""
        with self._lock:
            if time.monotonic() - self._read_at >= FRESH_S:
                self._last, self._read_at = self._read(), time.monotonic()
            return self._last

    def _read(self) -> list[Metric]:
        try:
            with self._store.session() as session:
                return [_gauge("atypia_database_up", "Whether the database answers.", 1), *_figures(session)]
        except SQLAlchemyError:
            return [_gauge("atypia_database_up", "Whether the database answers.", 0)]


def _figures(session: Session) -> Iterable[Metric]:
    moment = now()
    jobs = _counts(session, Job.state)
    yield _family(
        "atypia_jobs", "Jobs, by state.", "state", {state: jobs.get(state, 0) for state in JOB_STATES}
    )
    yield _gauge("atypia_queue_depth", "Jobs that wait for a worker.", jobs.get("queued", 0))
    oldest = session.scalar(select(func.min(Job.created)).where(Job.state == "queued"))
    yield _gauge("atypia_queue_oldest_seconds", "Age of the oldest job that waits.", _age(oldest, moment))
    verdicts = _counts(session, Finding.verdict)
    yield _family(
        "atypia_findings", "Findings, by verdict.", "verdict", {one: verdicts.get(one, 0) for one in VERDICTS}
    )
    since = moment - timedelta(seconds=RATE_S)
    judged = session.scalar(select(func.count()).select_from(Finding).where(Finding.created >= since)) or 0
    yield _gauge(
        "atypia_judgements_per_second",
        "Findings a second, over the last minute, of all workers.",
        judged / RATE_S,
    )
    used = session.scalar(select(func.count()).select_from(Screener).where(~Screener.retired)) or 0
    yield _gauge("atypia_screeners", "Screeners in use.", used)
    yield _family("atypia_studies", "Studies, by state.", "state", _counts(session, Study.state))
    instances = session.scalar(select(func.count()).select_from(Instance)) or 0
    yield _gauge("atypia_instances", "DICOM instances kept.", instances)
    yield _family(
        "atypia_deliveries", "Results on their way, by state.", "state", _counts(session, Delivery.state)
    )


def _counts(session: Session, column: Any) -> dict[str, int]:
    return {
        str(value): int(count)
        for value, count in session.execute(select(column, func.count()).group_by(column))
    }


def _age(oldest: datetime | None, moment: datetime) -> float:
    return 0.0 if oldest is None else max(0.0, (moment - oldest).total_seconds())


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(name, told, value=value)


def _family(name: str, told: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, told, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
