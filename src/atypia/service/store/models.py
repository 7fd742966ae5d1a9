"""The tables of the service, the same on SQLite and PostgreSQL.

No row holds a name, an identifier or a date of a patient: files are called by their place in an upload, and
studies by a keyed hash. Labels are what a user called a scan, and are kept only where that was asked for.
A job by path keeps that path, and so do its findings.
Times are UTC with a time zone. Identifiers are 32 hexadecimal digits.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import uuid4

from sqlalchemy import JSON, DateTime, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

JOB_KINDS = ("upload", "path", "study")
JOB_STATES = ("receiving", "queued", "running", "done", "failed", "cancelled")
ENDED = ("done", "failed", "cancelled")
VERDICTS = ("normal", "abnormal", "unfit", "unreadable")
REVIEWS = ("none", "accepted", "rejected")
LABELS = ("healthy", "abnormal", "unsure")
ROLES = ("viewer", "reader", "admin")

Values = dict[str, Any]


def new_id() -> str:
    """Return an identifier that nobody guesses: 32 hexadecimal digits."""
    return uuid4().hex


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def in_utc(time: datetime) -> datetime:
    """Return a time in UTC, one without a zone as if it were; raise ValueError for one that has none there.

    >>> in_utc(datetime.fromisoformat("2026-01-01T01:00+01:00")).isoformat()
    '2026-01-01T00:00:00+00:00'
    """
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("expected a time within the years 1 to 9999, in UTC") from error


class Utc(TypeDecorator[datetime]):
    """A time in UTC; SQLite keeps none of the zone, so it is put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse a time without a zone, which would be somebody's local time."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"Expected a time with a time zone, received {value!r}.")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The tables together; constraints have names, so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        Values: JSON().with_variant(JSONB(), "postgresql"),
        list[Any]: JSON().with_variant(JSONB(), "postgresql"),
        datetime: Utc(),
    }


class Screener(Base):
    """A version of a Screener: one file by its hash. A changed threshold makes another that `replaces` it."""

    __tablename__ = "screeners"
    __table_args__ = (UniqueConstraint("sha256"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))
    detector: Mapped[str] = mapped_column(String(100))
    version: Mapped[str] = mapped_column(String(50))
    rule: Mapped[str] = mapped_column(String(50))
    parameter: Mapped[float | None]
    threshold: Mapped[float]
    guarantee: Mapped[str] = mapped_column(Text, default="")
    details: Mapped[Values] = mapped_column(default=dict)
    """Of the loaded Screener: heat_scale, planes, healthy_count, groups, has_reconstruction, ..."""
    bytes: Mapped[int] = mapped_column(default=0)
    default: Mapped[bool] = mapped_column(default=False)
    retired: Mapped[bool] = mapped_column(default=False)
    replaces: Mapped[str | None] = mapped_column(ForeignKey("screeners.id"))
    created: Mapped[datetime] = mapped_column(default=now)


class Study(Base):
    """A DICOM study as it arrives: `key` is the keyed hash of its UID. `version` counts how often it grew."""

    __tablename__ = "studies"
    __table_args__ = (UniqueConstraint("key"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    key: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(20), default="receiving", index=True)
    source: Mapped[str | None] = mapped_column(String(100))
    """The application entity, or the user, that it came from."""
    instances: Mapped[int] = mapped_column(default=0)
    objects: Mapped[int | None] = mapped_column(default=0)
    """How many of the instances are no MR images: kept, and not judged."""
    bytes: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=0)
    opened: Mapped[datetime] = mapped_column(default=now)
    last: Mapped[datetime] = mapped_column(default=now, index=True)
    error: Mapped[str | None] = mapped_column(Text)


class Instance(Base):
    """One instance of a study, by the keyed hash of its UID, so that one that comes twice counts once."""

    __tablename__ = "instances"
    __table_args__ = (UniqueConstraint("study", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    study: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), index=True)
    key: Mapped[str] = mapped_column(String(64))
    file: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64))
    received: Mapped[datetime] = mapped_column(default=now)


class Job(Base):
    """Something to be judged: an upload, a path under an allowed root, or a study."""

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_due", "state", "due", "created"), UniqueConstraint("idempotency_key"))

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), default="queued", index=True)
    screener: Mapped[str] = mapped_column(ForeignKey("screeners.id"), index=True)
    study: Mapped[str | None] = mapped_column(ForeignKey("studies.id", ondelete="SET NULL"), index=True)
    label: Mapped[str] = mapped_column(String(500), default="")
    path: Mapped[str | None] = mapped_column(Text)
    """Of a job by path: where its scans lie, below an allowed root."""
    options: Mapped[Values] = mapped_column(default=dict)
    """judge_all, results, ..."""
    priority: Mapped[int] = mapped_column(default=0)
    weight: Mapped[int] = mapped_column(default=0)
    """How many pictures it is made of, where it is of pictures alone; 0: large, or not known before."""
    total: Mapped[int] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    counts: Mapped[Values] = mapped_column(default=dict)
    """Findings by verdict, once it is done."""
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(default=now)
    due: Mapped[datetime] = mapped_column(default=now)
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]
    owner: Mapped[str | None] = mapped_column(String(100))
    lease_until: Mapped[datetime | None] = mapped_column(index=True)
    by: Mapped[str | None] = mapped_column(String(200))
    """Who asked for it."""
    idempotency_key: Mapped[str | None] = mapped_column(String(200))

    files: Mapped[list[File]] = relationship(
        back_populates="of", cascade="all, delete-orphan", order_by="File.index", passive_deletes=True
    )


class File(Base):
    """One file of a job, by the hash of its content. `name` only where names are to be kept."""

    __tablename__ = "files"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    index: Mapped[int]
    kind: Mapped[str] = mapped_column(String(20))
    """picture, nifti, dicom, or archive."""
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    bytes: Mapped[int]
    suffix: Mapped[str] = mapped_column(String(20), default="")
    name: Mapped[str | None] = mapped_column(String(500))

    of: Mapped[Job] = relationship(back_populates="files")


class Finding(Base):
    """What was found of one picture or one volume. `values` holds regions, slices, all that is only shown."""

    __tablename__ = "findings"
    __table_args__ = (
        UniqueConstraint("job", "index"),
        Index("ix_findings_worklist", "p_value", "id"),
        Index("ix_findings_created", "created", "id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    study: Mapped[str | None] = mapped_column(ForeignKey("studies.id", ondelete="SET NULL"), index=True)
    screener: Mapped[str] = mapped_column(ForeignKey("screeners.id"), index=True)
    index: Mapped[int]
    file: Mapped[int | None]
    """The index of the file of its job that it came in."""
    label: Mapped[str] = mapped_column(String(500))
    kind: Mapped[str] = mapped_column(String(20))
    """picture or volume."""
    verdict: Mapped[str] = mapped_column(String(20), index=True)
    score: Mapped[float | None]
    highest: Mapped[float | None]
    p_value: Mapped[float | None]
    p_kind: Mapped[str] = mapped_column(String(20), default="scan")
    threshold: Mapped[float | None]
    flagged: Mapped[bool | None]
    stratum: Mapped[str | None] = mapped_column(String(200))
    plane: Mapped[str | None] = mapped_column(String(20))
    sequence: Mapped[str | None] = mapped_column(String(100))
    regions: Mapped[int] = mapped_column(default=0)
    slices: Mapped[int | None]
    slices_flagged: Mapped[int | None]
    unfit: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    values: Mapped[Values] = mapped_column(default=dict)
    files: Mapped[list[Any]] = mapped_column(default=list)
    """[{name, bytes, media_type}] below the folder of the finding."""
    review: Mapped[str] = mapped_column(String(20), default="none", index=True)
    reviewed_by: Mapped[str | None] = mapped_column(String(200))
    reviewed: Mapped[datetime | None]
    created: Mapped[datetime] = mapped_column(default=now)

    feedback: Mapped[list[Feedback]] = relationship(
        back_populates="of", cascade="all, delete-orphan", order_by="Feedback.created", passive_deletes=True
    )


class Feedback(Base):
    """What a reader says a scan really is."""

    __tablename__ = "feedback"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    finding: Mapped[str] = mapped_column(ForeignKey("findings.id", ondelete="CASCADE"), index=True)
    label: Mapped[str] = mapped_column(String(20))
    note: Mapped[str] = mapped_column(Text, default="")
    by: Mapped[str] = mapped_column(String(200))
    created: Mapped[datetime] = mapped_column(default=now)

    of: Mapped[Finding] = relationship(back_populates="feedback")


class Event(Base):
    """Something that pages are told of, in order; old ones are forgotten."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(default=now, index=True)
    kind: Mapped[str] = mapped_column(String(20))
    """job, finding, study, delivery, or screener."""
    subject: Mapped[str] = mapped_column(String(32))
    job: Mapped[str | None] = mapped_column(String(32), index=True)


class Delivery(Base):
    """A result on its way to a peer: pending until it was sent, dead when no try is left."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_due", "state", "due"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    job: Mapped[str | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    finding: Mapped[str | None] = mapped_column(ForeignKey("findings.id", ondelete="CASCADE"), index=True)
    study: Mapped[str | None] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), index=True)
    peer: Mapped[str] = mapped_column(String(200))
    file: Mapped[str] = mapped_column(String(300))
    """Below the folder of the finding."""
    state: Mapped[str] = mapped_column(String(20), default="pending")
    """pending, sending, sent, or dead."""
    attempts: Mapped[int] = mapped_column(default=0)
    due: Mapped[datetime] = mapped_column(default=now)
    lease_until: Mapped[datetime | None]
    owner: Mapped[str | None] = mapped_column(String(100))
    error: Mapped[str | None] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(default=now)
    ended: Mapped[datetime | None]


class Token(Base):
    """A token by its hash: who bears it may do what its role may."""

    __tablename__ = "tokens"
    __table_args__ = (UniqueConstraint("hash"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    hash: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime] = mapped_column(default=now)
    expires: Mapped[datetime | None]
    last_used: Mapped[datetime | None]
    revoked: Mapped[bool] = mapped_column(default=False)


class Login(Base):
    """A browser that showed a token or came back from an identity provider, by the hash of its cookie."""

    __tablename__ = "logins"
    __table_args__ = (UniqueConstraint("hash"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    hash: Mapped[str] = mapped_column(String(64))
    csrf: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    token: Mapped[str | None] = mapped_column(ForeignKey("tokens.id", ondelete="CASCADE"), index=True)
    created: Mapped[datetime] = mapped_column(default=now)
    expires: Mapped[datetime]


class Audit(Base):
    """Who saw or changed what, when; never deleted with what it is about."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(default=now, index=True)
    who: Mapped[str] = mapped_column(String(200), index=True)
    role: Mapped[str] = mapped_column(String(20))
    action: Mapped[str] = mapped_column(String(100), index=True)
    """As `finding.open`, `job.create`, `threshold.change`."""
    subject: Mapped[str | None] = mapped_column(String(64), index=True)
    status: Mapped[int | None]
    details: Mapped[Values] = mapped_column(default=dict)
    address: Mapped[str | None] = mapped_column(String(64))
