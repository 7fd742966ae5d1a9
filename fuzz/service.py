"""The service's way in: uploads and archives as they are taken, and whole requests to the app.

An input begins with a line out of `upload`, `archive` and `request`. A request goes on with
`METHOD PATH?QUERY`, headers and an empty line, as in HTTP; `{job}`, `{finding}` and `{screener}` in its path
stand for what is there.
"""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from random import Random

from atypia.service.intake.archive import unpack
from atypia.service.intake.receiving import accept
from atypia.service.intake.refused import Refused
from fuzz import dicom, nifti, picture
from fuzz.place import folder
from fuzz.room import Room, open_room
from fuzz.target import Seed, Target, scramble

_EDGE = "fuzzedge"
_OFTEN = 300
"""After so many requests the room is made anew: what they left would slow down the next."""
_METHOD = re.compile(rb"[A-Z]{1,8}")
_HEADER = re.compile(rb"[!-9;-~]{1,64}")
_TAKEN = (503, 507)
_TOKENS = (
    b"\r\n", b"--" + _EDGE.encode(), b"--", b'"', b";", b"=", b"%00", b"%ff", b"&", b"[", b"{", b"null",
    b"true", b"1e999", b"-1", b"9" * 400, b"filename*=utf-8''%ff", b"\xff\xfe", b"\\", b"\\u0000", b"\\ud800",
    b"../../etc", b"{job}", b"T00:00",
    b"0001-01-01T00:00:00+14:00", b"[" * 3000, b"0", b'""', b"text/plain", b"gzip", b"a" * 9000,
)  # fmt: skip


def seeds() -> Iterator[Seed]:
    """Make an upload of each kind, an archive, and requests of each kind that has a body or a query."""
    small = {
        name: data
        for target in (picture, nifti, dicom)
        for name, data in target.TARGET.seeds()
        if name in ("grey.png", "lossy.webp", "byte.nii.gz", "short.nii", "explicit.dcm")
    }
    for name, data in small.items():
        yield f"upload-{name}", b"upload\n" + data
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, data) in enumerate(small.items()):
            archive.writestr(zipfile.ZipInfo(f"folder {number % 2}/{name}"), data)
    yield "archive", b"archive\n" + buffer.getvalue()
    yield "upload-archive", b"upload\n" + buffer.getvalue()
    for number, request in enumerate(_requests(small)):
        yield f"request-{number:02}", b"request\n" + request


def _requests(small: dict[str, bytes]) -> Iterator[bytes]:
    form = f"multipart/form-data; boundary={_EDGE}"
    parts = [
        ('form-data; name="results"', b"seg,sr"),
        ('form-data; name="judge_all"', b"true"),
        ('form-data; name="files"; filename="a b.png"', small["grey.png"]),
        ("form-data; name=\"files\"; filename*=utf-8''%e2%82%ac.dcm", small["explicit.dcm"]),
    ]
    body = b"".join(
        f"--{_EDGE}\r\nContent-Disposition: {told}\r\n\r\n".encode() + data + b"\r\n" for told, data in parts
    )
    yield _request(
        "POST /api/v1/jobs?split=true",
        {"content-type": form, "idempotency-key": "k1"},
        body + b"--%s--\r\n" % _EDGE.encode(),
    )
    stow = f'multipart/related; type="application/dicom"; boundary={_EDGE}'
    body = f"--{_EDGE}\r\nContent-Type: application/dicom\r\n\r\n".encode() + small["explicit.dcm"]
    yield _request("POST /dicomweb/studies", {"content-type": stow}, body + f"\r\n--{_EDGE}--".encode())
    for line, value in (
        ("POST /api/v1/jobs", {"path": "data", "results": ["sc"], "judge_all": True}),
        ("PUT /api/v1/findings/{finding}/review", {"state": "reviewed"}),
        ("POST /api/v1/findings/{finding}/feedback", {"label": "normal", "note": "é"}),
        ("PUT /api/v1/screeners/{screener}", {"name": "b", "default": True}),
        ("POST /api/v1/screeners/{screener}/threshold/preview", {"rule": "quantile", "parameter": 0.8}),
        ("POST /api/v1/screeners/{screener}/threshold/preview", {"value": 1.5}),
        ("POST /api/v1/session", {"token": "x" * 40}),
    ):
        yield _request(line, {"content-type": "application/json"}, json.dumps(value).encode())
    cursor = base64.urlsafe_b64encode(json.dumps(["p_value", 0.5, 1.0, "a"]).encode()).decode().rstrip("=")
    for line in (
        f"GET /api/v1/findings?sort=p_value&limit=2&cursor={cursor}&q=a&p_min=0.1&since=2026-01-01T00:00:00Z",
        "GET /api/v1/findings?verdict=normal&review=new&feedback=normal&kind=picture&job={job}",
        "GET /api/v1/jobs?state=done&limit=1",
        "GET /api/v1/drift?screener={screener}&window=100&risk=0.01",
        "GET /api/v1/audit?limit=3",
        "GET /api/v1/findings/{finding}/files/map.png",
        "GET /api/v1/feedback.csv",
        "DELETE /api/v1/jobs/{job}",
        "GET /metrics",
        "GET /some/page",
    ):
        yield _request(line, {"accept": "*/*", "origin": "http://127.0.0.1:8765", "range": "bytes=0-9"}, b"")


def _request(line: str, headers: dict[str, str], body: bytes) -> bytes:
    return "\n".join([line, *(f"{name}: {value}" for name, value in headers.items()), "\n"]).encode() + body


def change(data: bytes, chance: Random) -> bytes:
    """Change the line, a header or the body of a request, or a file as its own target does."""
    name, _, rest = data.partition(b"\n")
    if name == b"upload" and chance.random() < 0.5:
        return name + b"\n" + chance.choice((picture, nifti, dicom)).TARGET.change(rest, chance)
    if name in (b"upload", b"archive"):
        return name + b"\n" + scramble(rest, chance)
    head, gap, body = rest.partition(b"\n\n")
    if chance.random() < 0.5 and body:
        return name + b"\n" + head + gap + _with_token(body, chance)
    return name + b"\n" + _with_token(head, chance) + gap + body


def _with_token(text: bytes, chance: Random) -> bytes:
    if chance.random() < 0.4:
        return scramble(text, chance)
    places = [0, *(found.end() for found in re.finditer(rb"[\r\n:;=&?/\"{},\[\] -]", text)), len(text)]
    start = chance.choice(places)
    end = chance.choice([start, *(place for place in places if place > start)][:3])
    return text[:start] + chance.choice(_TOKENS) + text[end:]


def run(data: bytes) -> None:
    """Take it as the service does: an answer that is no fault of the server, and nothing left behind."""
    name, _, rest = data.partition(b"\n")
    if name == b"upload":
        _upload(rest)
    elif name == b"archive":
        _archive(rest)
    elif name == b"request":
        _ask(rest)


class _Rooms:
    """The room in use, made anew every so often."""

    def __init__(self) -> None:
        self._asked, self._stack, self._room = 0, ExitStack(), None

    def get(self) -> Room:
        if self._room is None or self._asked >= _OFTEN:
            self._stack.close()
            self._room, self._asked = self._stack.enter_context(open_room()), 0
        self._asked += 1
        return self._room

    def close(self) -> None:
        self._stack.close()
        self._room = None


ROOMS = _Rooms()


def _upload(data: bytes) -> None:
    room = ROOMS.get()
    with suppress(Refused):
        accepted = accept(room.settings, room.home, io.BytesIO(data), "a.png")
        assert accepted.size == len(data)
        accepted.path.unlink()
    assert not list(room.home.tmp.iterdir())


def _archive(data: bytes) -> None:
    room = ROOMS.get()
    with folder({"a.zip": data}) as place:
        with suppress(Refused):
            for one in unpack(place / "a.zip", place / "out", room.settings.limits):
                assert one.path.resolve().is_relative_to(place)
        shutil.rmtree(place / "out", ignore_errors=True)


def _ask(data: bytes) -> None:
    room = ROOMS.get()
    head, _, body = data.partition(b"\n\n")
    line, *told = head.split(b"\n")
    method, _, way = line.partition(b" ")
    if not _METHOD.fullmatch(method) or b"/events" in way or way.startswith(b"/api/v1/screeners?"):
        return
    for kind, identifier in room.names.items():
        way = way.replace(b"{%s}" % kind.encode(), identifier.encode())
    path, _, query = way.partition(b"?")
    pairs = [
        (name.strip().lower(), value.strip()) for name, _, value in (one.partition(b":") for one in told)
    ]
    headers = [(name, value) for name, value in pairs if _HEADER.fullmatch(name) and name != b"host"]
    answer = room.ask(method.decode(), path or b"/", query, headers, body)
    assert answer.status < 500 or answer.status in _TAKEN, (answer.status, answer.body[:300])
    if 400 <= answer.status < 500 and path.startswith(b"/api/") and method != b"HEAD":
        assert b"Traceback" not in answer.body
        assert str(room.home.path).encode() not in answer.body
    assert not list(room.home.tmp.iterdir())


TARGET = Target("service", seeds, change, run)
