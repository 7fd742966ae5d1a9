"""Pictures: JPEG, PNG, TIFF, WebP and BMP, as scans, as masks, and their headers."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import numpy as np
import PIL.Image

from atypia.errors import UnreadableScan
from atypia.reading.header import read_header
from atypia.reading.picture import read_mask, read_picture
from fuzz.place import written
from fuzz.scans import small_slice
from fuzz.target import Seed, Target, number, scramble

_PNG = b"\x89PNG\r\n\x1a\n"


def seeds() -> Iterator[Seed]:
    """Make a picture of each kind, and of each way to store pixels that decoders treat apart."""
    grey = PIL.Image.fromarray(small_slice())
    wide = PIL.Image.fromarray(small_slice().astype(np.uint16) * 200)
    real = PIL.Image.fromarray(small_slice().astype(np.float32))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    for name, picture, kind, options in (
        ("grey", grey, "PNG", {}),
        ("turned", grey, "PNG", {"exif": exif}),
        ("wide", wide, "PNG", {}),
        ("colour", grey.convert("RGB"), "PNG", {}),
        ("clear", grey.convert("RGBA"), "PNG", {}),
        ("palette", grey.convert("P"), "PNG", {"transparency": 3}),
        ("bits", grey.convert("1"), "PNG", {}),
        ("grey", grey, "JPEG", {"exif": exif}),
        ("colour", grey.convert("RGB"), "JPEG", {"progressive": True}),
        ("inks", grey.convert("CMYK"), "JPEG", {}),
        ("grey", grey, "TIFF", {}),
        ("wide", wide, "TIFF", {"tiffinfo": {262: 0}}),
        ("real", real, "TIFF", {}),
        ("packed", grey, "TIFF", {"compression": "tiff_lzw"}),
        ("deflated", grey.convert("RGB"), "TIFF", {"compression": "tiff_adobe_deflate"}),
        ("fax", grey.convert("1"), "TIFF", {"compression": "group4"}),
        ("jpeg", grey.convert("RGB"), "TIFF", {"compression": "jpeg"}),
        ("large", grey, "TIFF", {"big_tiff": True}),
        ("pages", grey, "TIFF", {"save_all": True, "append_images": [grey]}),
        ("lossy", grey.convert("RGB"), "WEBP", {}),
        ("lossless", grey.convert("RGBA"), "WEBP", {"lossless": True, "exif": exif}),
        ("moving", grey, "WEBP", {"save_all": True, "append_images": [grey.rotate(90)]}),
        ("grey", grey, "BMP", {}),
        ("colour", grey.convert("RGB"), "BMP", {}),
        ("bits", grey.convert("1"), "BMP", {}),
    ):
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        yield f"{name}.{kind.lower()}", buffer.getvalue()


def change(data: bytes, chance: Random) -> bytes:
    """Change one part of a picture, with its length and checksum as they must be."""
    if data.startswith(_PNG):
        return _changed_png(data, chance)
    if data.startswith(b"\xff\xd8"):
        return _changed_jpeg(data, chance)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _changed_tiff(data, chance)
    if data.startswith(b"RIFF"):
        return _changed_riff(data, chance)
    return data[:2] + _one_number(data[2:64], chance) + data[64:]


def run(data: bytes) -> None:
    """Read the bytes in every way that a picture is read."""
    with written(data, "a.png") as path:
        for read in (_scan, _reduced, read_mask, read_header):
            with suppress(UnreadableScan):
                read(path)


def _scan(path: Path) -> None:
    pixels = read_picture(path).pixels
    assert pixels.ndim == 2
    assert pixels.dtype == np.float32
    assert np.isfinite(pixels).all()


def _reduced(path: Path) -> None:
    read_picture(path, enough=16)


def _one_number(data: bytes, chance: Random) -> bytes:
    """Put one awkward number somewhere."""
    size = chance.choice((1, 2, 4))
    place = chance.randrange(max(1, len(data) - size + 1))
    return data[:place] + number(chance, size) + data[place + size :]


def _changed_png(data: bytes, chance: Random) -> bytes:
    chunks, place = list[tuple[bytes, bytes]](), len(_PNG)
    while place + 8 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    at = chance.randrange(len(chunks))
    kind, body = chunks[at]
    way = chance.randrange(8)
    if way == 0:
        chunks.insert(chance.randrange(len(chunks)), chunks[at])
    elif way == 1:
        del chunks[at]
    elif kind == b"IDAT" and way < 5:
        chunks[at] = kind, zlib.compress(scramble(zlib.decompress(body), chance))
    elif kind == b"IHDR":
        chunks[at] = kind, _one_number(body, chance)
    else:
        chunks[at] = kind, scramble(body, chance)
    return _PNG + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _changed_jpeg(data: bytes, chance: Random) -> bytes:
    parts, place = [data[:2]], 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        (length,) = struct.unpack(">H", data[place + 2 : place + 4])
        parts.append(data[place : place + 2 + length])
        place += 2 + length
    at = chance.randrange(1, len(parts) + 1)
    if at == len(parts):
        return b"".join(parts) + scramble(data[place:], chance)
    body = _one_number(parts[at][4:], chance) if chance.random() < 0.7 else scramble(parts[at][4:], chance)
    parts[at] = parts[at][:2] + struct.pack(">H", (len(body) + 2) % 2**16) + body
    return b"".join(parts) + data[place:]


def _changed_tiff(data: bytes, chance: Random) -> bytes:
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack(f"{order}I", data[4:8])
    (count,) = struct.unpack(f"{order}H", data[start : start + 2])
    at = start + 2 + 12 * chance.randrange(count)
    tag, kind, many, value = struct.unpack(f"{order}HHII", data[at : at + 12])
    way = chance.randrange(5)
    if way == 0:
        tag = chance.choice(
            (254, 256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 338, 339)
        )
    elif way == 1:
        kind = chance.randrange(19)
    elif way == 2:
        many = int.from_bytes(number(chance, 4))
    else:
        value = chance.choice(
            (int.from_bytes(number(chance, 4)), chance.randrange(10), chance.randrange(len(data)))
        )
    return data[:at] + struct.pack(f"{order}HHII", tag, kind, many, value) + data[at + 12 :]


def _changed_riff(data: bytes, chance: Random) -> bytes:
    parts, place = list[tuple[bytes, bytes]](), 12
    while place + 8 <= len(data):
        (length,) = struct.unpack("<I", data[place + 4 : place + 8])
        parts.append((data[place : place + 4], data[place + 8 : place + 8 + length]))
        place += 8 + length + length % 2
    at = chance.randrange(len(parts))
    kind, body = parts[at]
    parts[at] = (
        kind,
        (_one_number(body[:32], chance) + body[32:] if chance.random() < 0.5 else scramble(body, chance)),
    )
    whole = b"".join(
        kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2) for kind, body in parts
    )
    return b"RIFF" + struct.pack("<I", 4 + len(whole)) + data[8:12] + whole


TARGET = Target("picture", seeds, change, run)
