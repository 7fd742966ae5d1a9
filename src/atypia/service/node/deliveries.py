"""Results on their way to peers, in the database: whose turn it is, what failed, what is dead."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from random import Random

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from atypia.service.node.settings import Peer
from atypia.service.settings import Settings
from atypia.service.store import events
from atypia.service.store.clock import moment
from atypia.service.store.models import Delivery, Finding, Job, now

FOLDER, SUFFIX = "dicom/", ".dcm"
_AT_ONCE = 1000
STATES = ("pending", "sending", "sent", "dead")


def enqueue_results(session: Session, job: Job, settings: Settings) -> int:
    """Have the DICOM results of a study's job sent to every peer, in the transaction that ends the job.

    Returns how many deliveries that makes. The findings must have been flushed.
    """
    if job.study is None or not settings.peers:
        return 0
    found = session.execute(
        select(Finding.id, Finding.files).where(Finding.job == job.id).order_by(Finding.index)
    ).all()
    due = moment(session)
    made = [
        Delivery(due=due, job=job.id, finding=finding, study=job.study, peer=peer.name, file=file["name"])
        for finding, files in found
        for file in files
        for peer in settings.peers
        if file["name"].startswith(FOLDER) and file["name"].endswith(SUFFIX)
    ]
    session.add_all(made)
    session.flush()
    for delivery in made:
        events.emit(session, "delivery", delivery.id, job.id)
    return len(made)


def claim(session: Session, peer: str, owner: str, lease_s: float, limit: int) -> list[Delivery]:
    """Take deliveries to a peer that are due, or whose sender is gone, until the lease ends."""
    clock = moment(session)
    waiting = and_(Delivery.state == "pending", Delivery.due <= clock)
    abandoned = and_(Delivery.state == "sending", Delivery.lease_until < clock)
    asked = (
        select(Delivery)
        .where(Delivery.peer == peer, or_(waiting, abandoned))
        .order_by(Delivery.due, Delivery.created, Delivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = list(session.scalars(asked))
    for delivery in taken:
        delivery.state, delivery.owner = "sending", owner
        delivery.lease_until = clock + timedelta(seconds=lease_s)
        delivery.attempts += 1
    return taken


def renew(session: Session, owner: str, deliveries: list[str], lease_s: float) -> set[str]:
    """Lengthen leases, and return which are still the owner's."""
    until = moment(session) + timedelta(seconds=lease_s)
    mine = list(session.scalars(_mine(owner, deliveries)))
    for delivery in mine:
        delivery.lease_until = until
    return {delivery.id for delivery in mine}


def sent(session: Session, owner: str, delivery: str) -> None:
    """Note that a peer has taken a result."""
    for row in session.scalars(_mine(owner, [delivery])):
        row.state, row.ended, row.error, row.owner, row.lease_until = "sent", now(), None, None, None
        events.emit(session, "delivery", row.id, row.job)


def failed(session: Session, owner: str, delivery: str, error: str, peer: Peer, random: Random) -> None:
    """Note why a try failed; there is another later, unless it was the last."""
    for row in session.scalars(_mine(owner, [delivery])):
        row.error, row.owner, row.lease_until = error, None, None
        if row.attempts >= peer.tries:
            row.state, row.ended = "dead", now()
        else:
            later = timedelta(seconds=wait(peer, row.attempts, random))
            row.state, row.due = "pending", moment(session) + later
        events.emit(session, "delivery", row.id, row.job)


def give_back(session: Session, owner: str, delivery: str) -> None:
    """Leave a delivery that was not tried to whoever comes next."""
    for row in session.scalars(_mine(owner, [delivery])):
        row.state, row.owner, row.lease_until, row.due = "pending", None, None, moment(session)
        row.attempts -= 1


def wait(peer: Peer, attempts: int, random: Random) -> float:
    """Return the seconds until the next try: twice as long after each, and never the same for all.

    >>> peer = Peer("archive", host="archive", ae_title="A", first_wait=4, longest_wait=60)
    >>> [round(wait(peer, attempts, Random(1))) for attempts in (1, 2, 3, 9)]
    [2, 5, 9, 34]
    """
    longest = min(peer.longest_wait, peer.first_wait * 2.0 ** min(attempts - 1, 60))
    return longest * (0.5 + random.random() / 2)


def bury(session: Session, peers: Collection[str]) -> int:
    """Let deliveries to peers that are configured no more be dead, with the reason; return how many."""
    lost = select(Delivery).where(Delivery.state == "pending", Delivery.peer.not_in(peers))
    rows = list(session.scalars(lost.limit(_AT_ONCE).with_for_update(skip_locked=True)))
    for row in rows:
        row.state, row.ended, row.error = "dead", now(), "No peer of this name is configured any more."
        events.emit(session, "delivery", row.id, row.job)
    return len(rows)


def retry(session: Session, delivery: str) -> Delivery | None:
    """Have a delivery that is dead, or waits, tried at once, with all its tries; None where there is none."""
    row = session.scalars(select(Delivery).where(Delivery.id == delivery).with_for_update()).first()
    if row is not None and row.state in ("dead", "pending"):
        row.state, row.attempts, row.due, row.ended = "pending", 0, moment(session), None
        events.emit(session, "delivery", row.id, row.job)
    return row


def _mine(owner: str, deliveries: list[str]) -> Select[Delivery]:
    mine = and_(Delivery.id.in_(deliveries), Delivery.owner == owner, Delivery.state == "sending")
    return select(Delivery).where(mine).order_by(Delivery.id).with_for_update()
