"""Bodies of parts (RFC 2046), taken piece by piece: what forms and STOW-RS have in common."""

from __future__ import annotations

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError

from atypia.service.api.problems import Problem

HEADER_BYTES = 16 * 1024
"""Of one header of a part, its name and its value."""


class Parts:
    """A body while it is read: `size` is how many bytes came so far.

    Who inherits takes each part: `_begin` with its headers, by their names in small letters, `_data` as it
    comes, and `_finish`. `wrong` and `expected` are told of a body that is none.
    """

    wrong = "Not parts"
    expected = "Expected a body of parts; its parts cannot be told."

    def __init__(self, boundary: bytes) -> None:
        self.size = 0
        self.ended = False
        self._name, self._value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part,
                "on_header_field": self._on_name,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_headers_finished": lambda: self._begin(self._headers),
                "on_part_data": lambda data, start, end: self._data(data[start:end]),
                "on_part_end": self._finish,
                "on_end": self._on_end,
            },
        )

    def feed(self, piece: bytes) -> None:
        """Take the next bytes; raise Problem where this is no such body."""
        self.size += len(piece)
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise Problem(400, self.wrong, self.expected) from error

    def _begin(self, headers: dict[bytes, bytes]) -> None:
        raise NotImplementedError

    def _data(self, data: bytes) -> None:
        raise NotImplementedError

    def _finish(self) -> None:
        raise NotImplementedError

    def _on_part(self) -> None:
        self._headers = {}
        self._name, self._value = bytearray(), bytearray()

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        self._check_header()

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        if len(self._name) + len(self._value) > HEADER_BYTES:
            raise Problem(400, self.wrong, "A header of a part is too long.")

    def _on_header(self) -> None:
        self._headers[bytes(self._name).strip().lower()] = bytes(self._value)
        self._name, self._value = bytearray(), bytearray()

    def _on_end(self) -> None:
        self.ended = True


def boundary_in(options: dict[bytes, bytes], wrong: str) -> bytes:
    """Return the boundary that a Content-Type names; raise Problem, called `wrong`, where it names none."""
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 200:
        raise Problem(400, wrong, "The Content-Type names no boundary.")
    return boundary
