"""Forms with files, written to disk while they come: no more of one is in memory than a piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from anyio.to_thread import run_sync
from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect

from atypia.service.api.parts import Parts, boundary_in
from atypia.service.api.problems import Problem

PIECE = 512 * 1024
"""Bytes that are gathered before a thread takes them."""
FIELD_BYTES = 64 * 1024
"""Of all fields that are no files."""
DRAINED, DRAIN_S = 32 * 1024**2, 3.0
"""What is still taken of a request that is refused, so that its sender gets to read why."""

Done = TypeVar("Done", covariant=True)
Kept = TypeVar("Kept")


class Sink(Protocol[Done]):
    """Where a file goes: `finish` gives what was kept, `discard` leaves nothing."""

    def write(self, chunk: bytes) -> None:
        """Take a piece."""

    def finish(self) -> Done:
        """Keep the file."""

    def discard(self) -> None:
        """Forget the file."""


class Body(Protocol):
    """What takes a body of parts, piece by piece; `size` is how much came."""

    size: int

    def feed(self, piece: bytes) -> None:
        """Take the next bytes; raise Problem where this is no such body."""

    def end(self) -> None:
        """Take note that no more comes; raise Problem where it had not ended."""

    def discard(self) -> None:
        """Forget what is being received."""


class Form(Parts, Generic[Kept]):
    """A form while it is read: its `fields` by name, and what was kept of its `files`, in order.

    `names` are those that the sender gives the files, and `places` the fields that they came in.
    `open_file` is asked for a sink with the name that the sender gives a file.
    """

    wrong = "Not a form"
    expected = "Expected multipart/form-data; its parts cannot be told."

    def __init__(self, boundary: bytes, open_file: Callable[[str], Sink[Kept]], most_files: int) -> None:
        super().__init__(boundary)
        self.fields: dict[str, list[str]] = {}
        self.files: list[Kept] = []
        self.names: list[str] = []
        self.places: list[str] = []
        self._open_file, self._most = open_file, most_files
        self._sink: Sink[Kept] | None = None
        self._field: bytearray | None = None
        self._place, self._filename = "", ""
        self._left = FIELD_BYTES

    def end(self) -> None:
        """Take note that no more comes; raise Problem where the form had not ended."""
        if not self.ended:
            raise Problem(
                400, "The upload is cut short", "The form ended before its last boundary. Send it again."
            )

    def discard(self) -> None:
        """Forget the file that is being received."""
        if self._sink is not None:
            self._sink.discard()
            self._sink = None

    def field(self, name: str) -> str | None:
        """Return the last value of a field, None where it is not there or empty."""
        return (self.fields.get(name) or [""])[-1].strip() or None

    def _begin(self, headers: dict[bytes, bytes]) -> None:
        _, options = parse_options_header(headers.get(b"content-disposition", b""))
        self._place = _text(options.get(b"name", b""))
        self._field = None
        if b"filename" not in options:
            self._field = bytearray()
            return
        self._filename = _text(options[b"filename"])
        if self._filename:
            self._open()

    def _open(self) -> None:
        if len(self.files) >= self._most:
            raise Problem(413, "Too many files", f"Expected at most {self._most} files in one upload.")
        self._sink = self._open_file(self._filename)

    def _data(self, data: bytes) -> None:
        if self._field is not None:
            self._left -= len(data)
            if self._left < 0:
                raise Problem(
                    413, "The form is too large", f"Its fields may hold {FIELD_BYTES} bytes together."
                )
            self._field += data
            return
        if self._sink is None:
            self._open()
        assert self._sink is not None
        self._sink.write(data)

    def _finish(self) -> None:
        if self._field is not None:
            self.fields.setdefault(self._place, []).append(_text(bytes(self._field)))
        elif self._sink is not None:  # a browser sends a nameless, empty part where no file was chosen
            sink, self._sink = self._sink, None
            try:
                self.files.append(sink.finish())
                self.names.append(self._filename)
                self.places.append(self._place)
            except BaseException:
                sink.discard()
                raise


def boundary_of(request: Request) -> bytes:
    """Return the boundary of a form; raise Problem where the request has another content."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        raise Problem(415, "Not a form", "Expected multipart/form-data with a part for each file.")
    return boundary_in(options, Form.wrong)


async def read_form(request: Request, form: Body, most_bytes: int) -> None:
    """Read the body of a request into a form, in threads; raise Problem where that cannot be.

    What was being received is discarded then, but not what was kept before.
    """
    stream = request.stream()
    try:
        _check_length(request, most_bytes)
        piece = bytearray()
        async for chunk in stream:
            piece += chunk
            if form.size + len(piece) > most_bytes:
                raise _too_large(most_bytes)
            if len(piece) >= PIECE:
                await run_sync(form.feed, bytes(piece))
                piece.clear()
        await run_sync(form.feed, bytes(piece))
        form.end()
    except ClientDisconnect as error:
        raise Problem(400, "The upload is cut short", "The connection ended before the form did.") from error
    except Exception:
        await _drain(stream)
        raise
    finally:
        form.discard()


def _check_length(request: Request, most_bytes: int) -> None:
    told = request.headers.get("content-length", "0")
    if told.isdigit() and int(told) > most_bytes:
        raise _too_large(most_bytes)


def _too_large(most_bytes: int) -> Problem:
    return Problem(413, "The upload is too large", f"Expected at most {most_bytes} bytes in one request.")


async def _drain(stream: AsyncIterator[bytes]) -> None:
    """Read on for a while and forget it: who still sends does not listen."""
    left = DRAINED
    with suppress(TimeoutError, ClientDisconnect, RuntimeError):
        async with asyncio.timeout(DRAIN_S):
            async for chunk in stream:
                left -= len(chunk)
                if left < 0:
                    return


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
