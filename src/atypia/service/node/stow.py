"""STOW-RS (PS3.18 10.5): instances in a body of parts, written to the disk as they come, and the answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from python_multipart.multipart import parse_options_header

from atypia.service.api.parts import Parts, boundary_in
from atypia.service.api.problems import Problem
from atypia.service.node.instance import Instance, examine
from atypia.service.node.outcome import Outcome, Refusal
from atypia.service.node.recording import Recorder
from atypia.service.node.spool import Incoming, Spool

JSON = "application/dicom+json"
_DICOM = b"application/dicom"
_TOGETHER = 50
_CUT_SHORT = "The body ended before its last boundary. What was stored of it stays; send it again."


@dataclass(frozen=True)
class Told:
    """What became of one part; `instance` is None where it could not be told what it is."""

    instance: Instance | None
    outcome: Outcome


def boundary_of(content_type: str) -> bytes:
    """Return the boundary of a body of DICOM parts; raise Problem where it is of another kind."""
    kind, options = parse_options_header(content_type)
    inner = options.get(b"type", _DICOM).lower()
    if kind != b"multipart/related" or inner != _DICOM:
        raise Problem(
            415,
            "Not DICOM",
            'Expected Content-Type: multipart/related; type="application/dicom"; boundary=...',
        )
    return boundary_in(options, "No boundary")


class StowBody(Parts):
    """A body while it is read; `told` is what became of its parts, in order.

    `study` is the UID that all parts must be of, None where any is taken.
    """

    expected = "Expected a multipart/related body; its parts cannot be told."

    def __init__(
        self, boundary: bytes, spool: Spool, recorder: Recorder, source: str, study: str | None = None
    ) -> None:
        super().__init__(boundary)
        self.told: list[Told] = []
        self._spool, self._recorder, self._source, self._study = spool, recorder, source, study
        self._incoming: Incoming | None = None
        self._waiting: list[Instance] = []

    def end(self) -> None:
        """Record what was not yet; raise Problem where the body is cut short."""
        self._record()
        if not self.ended:
            raise Problem(400, "The body is cut short", _CUT_SHORT)
        if not self.told:
            raise Problem(400, "No instances", "Expected at least one part of the type application/dicom.")

    def discard(self) -> None:
        """Remove what is not recorded."""
        if self._incoming is not None:
            self._incoming.discard()
        for instance in self._waiting:
            instance.path.unlink(missing_ok=True)
        self._waiting.clear()

    def _begin(self, headers: dict[bytes, bytes]) -> None:
        if parse_options_header(headers.get(b"content-type", _DICOM))[0] != _DICOM:
            raise Problem(415, "Not DICOM", "Expected parts of the type application/dicom alone.")
        self._incoming = self._spool.open()

    def _data(self, data: bytes) -> None:
        assert self._incoming is not None
        self._incoming.write(data)

    def _finish(self) -> None:
        incoming, self._incoming = self._incoming, None
        assert incoming is not None
        try:
            instance = examine(incoming.finish())
        except Refusal as refusal:
            incoming.discard()
            self.told.append(Told(None, refusal.outcome))
            return
        if self._study is not None and instance.study_uid != self._study:
            incoming.discard()
            self.told.append(Told(instance, Outcome.MISMATCH))
            return
        self._waiting.append(instance)
        if len(self._waiting) >= _TOGETHER:
            self._record()

    def _record(self) -> None:
        outcomes = self._recorder.record(self._waiting, self._source, "stow") if self._waiting else []
        self.told += [Told(one, outcome) for one, outcome in zip(self._waiting, outcomes, strict=True)]
        self.discard()


def answer(told: Iterable[Told]) -> tuple[int, dict[str, Any]]:
    """Return the status of HTTP, and the answer in DICOM JSON (PS3.18 Table 10.5.3-1 and I.2)."""
    told = list(told)
    stored = [_reference(one) for one in told if not one.outcome.failed]
    failed = [_failure(one) for one in told if one.outcome.failed and one.instance is not None]
    others = [_reason(one.outcome) for one in told if one.outcome.failed and one.instance is None]
    body: dict[str, Any] = {"00081190": {"vr": "UR"}}
    for tag, items in (("00081198", failed), ("00081199", stored), ("0008119A", others)):
        if items:
            body[tag] = {"vr": "SQ", "Value": items}
    if all(one.outcome.taken for one in told):
        return 200, body
    if stored:
        return 202, body
    no_room = all(one.outcome.status == Outcome.NO_ROOM.status for one in told)
    return (503 if no_room else 409), body


def _reference(told: Told) -> dict[str, Any]:
    item = {**_names(told), "00081190": {"vr": "UR"}}
    if not told.outcome.taken:
        item["00081196"] = {"vr": "US", "Value": [told.outcome.status]}
    return item


def _failure(told: Told) -> dict[str, Any]:
    return {**_names(told), **_reason(told.outcome)}


def _reason(outcome: Outcome) -> dict[str, Any]:
    return {"00081197": {"vr": "US", "Value": [outcome.status]}}


def _names(told: Told) -> dict[str, Any]:
    assert told.instance is not None
    return {
        "00081150": {"vr": "UI", "Value": [told.instance.kind]},
        "00081155": {"vr": "UI", "Value": [told.instance.uid]},
    }
