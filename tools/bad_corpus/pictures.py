"""Pictures: cut at every part of their structure, flipped bits, headers that lie, bombs and odd pixels."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bad_corpus.corpus import EITHER, JUDGED, UNREADABLE, Corpus, Pixels, cut, flipped

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encoded(pixels: Any, kind: str, **options: Any) -> bytes:
    """Return pixels, or a picture, as the bytes of a file."""
    file = io.BytesIO()
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(file, kind, **options)
    return file.getvalue()


def make(corpus: Corpus) -> None:
    """Write all of them."""
    head = corpus.heads[0]
    for number, (suffix, content) in enumerate(plain(head).items()):
        form = suffix.strip(".")
        corpus.add_all(cut(content, _structure(form, content), suffix), form, "cut short")
        corpus.add_all(flipped(content, 10, corpus.rng(1, number), suffix), form, "flipped bit", EITHER)
        corpus.add_all({f"whole{suffix}": content}, form, "none", JUDGED)
    _variants(corpus, corpus.heads[1])
    _lying_png(corpus, plain(head)[".png"], head)
    _lying_jpeg(corpus, plain(head)[".jpg"])
    _lying_tiff(corpus, plain(head)[".tif"])
    _lying_bmp(corpus, plain(head)[".bmp"])
    _lying_webp(corpus, plain(head)[".webp"])
    _pixels(corpus, head)
    bombs(corpus)


def plain(head: Pixels) -> dict[str, bytes]:
    """Return a slice in every format, by suffix."""
    return {
        ".png": encoded(head, "PNG"),
        ".jpg": encoded(head, "JPEG", quality=92),
        ".tif": encoded(head, "TIFF"),
        ".bmp": encoded(head, "BMP"),
        ".webp": encoded(head, "WEBP", lossless=True),
    }


def _structure(form: str, content: bytes) -> list[int]:
    """Return where the parts of a file end."""
    ends = {"png": _png_ends, "jpg": _jpeg_ends, "webp": _webp_ends}
    if form in ends:
        return list(ends[form](content))
    if form == "tif":
        (directory,) = struct.unpack_from("<I", content, 4)
        return [0, 4, 8, directory, directory + 2, directory + 2 + 12 * 5, len(content) - 1]
    return [0, 2, 14, 54, 54 + 512, 54 + 1024, len(content) // 2, len(content) - 1]


def _png_ends(content: bytes) -> Iterator[int]:
    yield from (0, 8)
    at = 8
    while content[at + 4 : at + 8] != b"IEND":
        (length,) = struct.unpack_from(">I", content, at)
        yield from (at, at + 8, at + 8 + length // 2)
        at += length + 12


def _jpeg_ends(content: bytes) -> Iterator[int]:
    yield 0
    at = 2
    while content[at + 1] != 0xDA:
        yield from (at, at + 4)
        at += 2 + struct.unpack_from(">H", content, at + 2)[0]
    yield from (at, at + 12, (at + len(content)) // 2)


def _webp_ends(content: bytes) -> Iterator[int]:
    yield from (0, 4, 8, 12, 16, 20, 25, len(content) // 2)


def _variants(corpus: Corpus, head: Pixels) -> None:
    """Sound pictures of rarer kinds."""
    grey = Image.fromarray(head)
    wide = np.uint16(head) * 257
    made = {
        "wide.png": encoded(wide, "PNG"),
        "palette.png": encoded(grey.convert("P"), "PNG"),
        "colour.png": encoded(grey.convert("RGB"), "PNG"),
        "transparent.png": encoded(grey.convert("RGBA"), "PNG"),
        "animated.png": encoded(grey, "PNG", save_all=True, append_images=[grey]),
        "progressive.jpg": encoded(grey, "JPEG", progressive=True),
        "cmyk.jpg": encoded(grey.convert("CMYK"), "JPEG"),
        "lzw.tif": encoded(grey, "TIFF", compression="tiff_lzw"),
        "float.tif": encoded(np.float32(head), "TIFF"),
        "pages.tif": encoded(grey, "TIFF", save_all=True, append_images=[grey]),
        "big.tif": encoded(grey, "TIFF", big_tiff=True),
        "wide.tif": encoded(wide, "TIFF"),
        "other-order.tif": encoded(Image.frombytes("I;16B", grey.size, wide.astype(">u2").tobytes()), "TIFF"),
        "colour.bmp": encoded(grey.convert("RGB"), "BMP"),
        "lossy.webp": encoded(grey, "WEBP"),
        "animated.webp": encoded(grey, "WEBP", save_all=True, append_images=[grey]),
    }
    for name, content in made.items():
        form = name.rpartition(".")[2]
        corpus.add(f"{form}/{name}", content, form, "none", JUDGED)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(header: tuple[int, ...], data: bytes, *more: bytes) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", *header))
    return _SIGNATURE + head + b"".join(more) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _lying_png(corpus: Corpus, whole: bytes, head: Pixels) -> None:
    side = len(head)
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in head))
    told = {
        "no-pixels.png": (0, 0, 8, 0, 0, 0, 0),
        "more-rows.png": (side, 3 * side, 8, 0, 0, 0, 0),
        "more-columns.png": (3 * side, side, 8, 0, 0, 0, 0),
        "huge-size.png": (2**31 - 1, 2**31 - 1, 8, 0, 0, 0, 0),
        "more-bits.png": (side, side, 16, 0, 0, 0, 0),
        "three-bits.png": (side, side, 3, 0, 0, 0, 0),
        "no-colour.png": (side, side, 8, 7, 0, 0, 0),
        "true-colour.png": (side, side, 8, 2, 0, 0, 0),
        "palette-without.png": (side, side, 8, 3, 0, 0, 0),
        "compression.png": (side, side, 8, 0, 9, 0, 0),
        "interlaced.png": (side, side, 8, 0, 0, 0, 1),
    }
    corpus.add_all({name: _png(header, rows) for name, header in told.items()}, "png", "lying header", EITHER)
    sound = (side, side, 8, 0, 0, 0, 0)
    long = bytearray(whole)
    struct.pack_into(">I", long, 33, 0xFFFFFFF0)
    text = PngInfo()
    text.add_text("note", "x" * 80_000_000, zip=True)
    corpus.add_all(
        {
            "long-chunk.png": bytes(long),
            "no-header.png": _SIGNATURE + whole[33:],
            "header-twice.png": whole[:33] + whole[8:33] + whole[33:],
            "only-the-end.png": _SIGNATURE + _chunk(b"IEND", b""),
            "wrong-sum.png": whole[:29] + b"\0\0\0\0" + whole[33:],
            "text-bomb.png": encoded(head, "PNG", pnginfo=text),
            "profile-bomb.png": _png(
                sound, rows, _chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(80_000_000)))
            ),
            "more-pixels.png": _png(sound, zlib.compress(bytes(30_000_000))),
            "no-zlib.png": _png(sound, b"no zlib at all"),
            "many-chunks.png": _png(sound, rows, *[_chunk(b"prVt", b"") for _ in range(20_000)]),
        },
        "png",
        "lying header",
        EITHER,
    )


def _patched(content: bytes, at: int, form: str, *values: int) -> bytes:
    copy = bytearray(content)
    struct.pack_into(form, copy, at, *values)
    return bytes(copy)


def _lying_jpeg(corpus: Corpus, whole: bytes) -> None:
    frame, tables = whole.index(b"\xff\xc0"), whole.index(b"\xff\xc4")
    corpus.add_all(
        {
            "huge-size.jpg": _patched(whole, frame + 5, ">HH", 65500, 65500),
            "more-rows.jpg": _patched(whole, frame + 5, ">H", 400),
            "no-rows.jpg": _patched(whole, frame + 5, ">H", 0),
            "twelve-bits.jpg": _patched(whole, frame + 4, ">B", 12),
            "many-components.jpg": _patched(whole, frame + 9, ">B", 200),
            "no-components.jpg": _patched(whole, frame + 9, ">B", 0),
            "arithmetic.jpg": _patched(whole, frame + 1, ">B", 0xC9),
            "lossless.jpg": _patched(whole, frame + 1, ">B", 0xC3),
            "short-segment.jpg": _patched(whole, tables + 2, ">H", 0),
            "long-segment.jpg": _patched(whole, tables + 2, ">H", 65535),
            "no-tables.jpg": whole.replace(b"\xff\xdb", b"\xff\xfe"),
            "no-end.jpg": whole[:-2],
            "more-behind.jpg": whole + bytes(200_000),
            "exif-loop.jpg": whole[:2]
            + _exif(b"II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0")
            + whole[2:],
            "exif-turned.jpg": whole[:2]
            + _exif(b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0\0\0\0\0")
            + whole[2:],
        },
        "jpg",
        "lying header",
        EITHER,
    )


def _exif(content: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(content) + 8) + b"Exif\0\0" + content


def _lying_tiff(corpus: Corpus, whole: bytes) -> None:
    (directory,) = struct.unpack_from("<I", whole, 4)
    (count,) = struct.unpack_from("<H", whole, directory)
    at = {
        struct.unpack_from("<H", whole, directory + 2 + 12 * n)[0]: directory + 2 + 12 * n
        for n in range(count)
    }

    def entry(tag: int, value: int, place: int | None = None) -> bytes:
        return _patched(whole, at[place or tag], "<HHII", tag, 4, 1, value)

    corpus.add_all(
        {
            "huge-size.tif": _patched(entry(256, 2**31 - 1), at[257], "<HHII", 257, 4, 1, 2**31 - 1),
            "more-rows.tif": entry(257, 4000),
            "no-columns.tif": entry(256, 0),
            "many-bits.tif": entry(258, 255),
            "unknown-compression.tif": entry(259, 60000),
            "jpeg-in-name.tif": entry(259, 7),
            "strips-far.tif": entry(273, 2**32 - 1),
            "strips-into-header.tif": entry(273, 0),
            "many-samples.tif": entry(277, 65000, 278),
            "strip-of-nothing.tif": entry(279, 0),
            "strip-of-all.tif": entry(279, 2**32 - 1),
            "many-values.tif": _patched(whole, at[273], "<HHII", 273, 4, 2**31 - 1, 8),
            "directory-far.tif": _patched(whole, 4, "<I", 2**32 - 2),
            "directory-in-header.tif": _patched(whole, 4, "<I", 0),
            "directory-of-many.tif": _patched(whole, directory, "<H", 65535),
            "next-is-itself.tif": _patched(whole, directory + 2 + 12 * count, "<I", directory),
            "wrong-order.tif": b"MM\0*" + whole[4:],
            "big-in-name.tif": b"II+\0" + whole[4:],
        },
        "tif",
        "lying header",
        EITHER,
    )


def _lying_bmp(corpus: Corpus, whole: bytes) -> None:
    corpus.add_all(
        {
            "huge-size.bmp": _patched(whole, 18, "<ii", 2**31 - 1, 2**31 - 1),
            "more-rows.bmp": _patched(whole, 22, "<i", 4000),
            "from-the-top.bmp": _patched(whole, 22, "<i", -(2**31)),
            "no-columns.bmp": _patched(whole, 18, "<i", 0),
            "negative-columns.bmp": _patched(whole, 18, "<i", -64),
            "seven-bits.bmp": _patched(whole, 28, "<H", 7),
            "packed-in-name.bmp": _patched(whole, 30, "<I", 1),
            "fields-in-name.bmp": _patched(whole, 30, "<I", 3),
            "pixels-far.bmp": _patched(whole, 10, "<I", 2**32 - 1),
            "pixels-in-header.bmp": _patched(whole, 10, "<I", 0),
            "other-header.bmp": _patched(whole, 14, "<I", 12),
            "long-header.bmp": _patched(whole, 14, "<I", 2**31),
            "many-colours.bmp": _patched(whole, 46, "<I", 2**31),
        },
        "bmp",
        "lying header",
        EITHER,
    )


def _lying_webp(corpus: Corpus, whole: bytes) -> None:
    corpus.add_all(
        {
            "long.webp": _patched(whole, 4, "<I", 2**32 - 2),
            "short.webp": _patched(whole, 4, "<I", 4),
            "long-chunk.webp": _patched(whole, 16, "<I", 2**31),
            "larger.webp": _patched(whole, 21, "<I", 0x0FFFFFFF),
            "a-sound.webp": b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + bytes(28),
            "another-chunk.webp": whole[:12] + b"VP8 " + whole[16:],
        },
        "webp",
        "lying header",
        EITHER,
    )


def _pixels(corpus: Corpus, head: Pixels) -> None:
    """Values and sizes that no head has, and some that it may have."""
    spread = np.float32(head)
    holed, endless = spread.copy(), spread.copy()
    holed[::7], endless[5, 5] = np.nan, np.inf
    bad = {
        "black.png": encoded(np.zeros_like(head), "PNG"),
        "white.jpg": encoded(np.full_like(head, 255), "JPEG"),
        "one-grey.bmp": encoded(np.full_like(head, 77), "BMP"),
        "clear.webp": encoded(Image.new("RGBA", (64, 64)), "WEBP", lossless=True),
        "nan.tif": encoded(holed, "TIFF"),
        "infinite.tif": encoded(endless, "TIFF"),
        "dot.png": encoded(head[:1, :1], "PNG"),
        "small.png": encoded(head[:15, :15], "PNG"),
        "strip.png": encoded(np.tile(head[:16], (1, 30)), "PNG"),
    }
    odd = {
        "negative.tif": encoded(spread - 500, "TIFF"),
        "largest.tif": encoded(spread * np.float32(1e36), "TIFF"),
        "smallest.tif": encoded(spread * np.float32(1e-40), "TIFF"),
        "one-bright.png": encoded(
            np.where(np.arange(head.size).reshape(head.shape) == 999, 255, 0).astype(np.uint8), "PNG"
        ),
        "noise.png": encoded(corpus.rng(2).integers(0, 256, head.shape, np.uint8), "PNG"),
        "white-inside-out.png": encoded(255 - head, "PNG"),
    }
    for told, made in ((UNREADABLE, bad), (EITHER, odd)):
        for name, content in made.items():
            form = name.rpartition(".")[2]
            corpus.add(f"{form}/pixels-{name}", content, form, "odd pixels", told)


def bombs(corpus: Corpus) -> None:
    """Small files that promise, or hold, a lot."""
    corpus.add_all(
        {"bomb.png": encoded(Image.new("1", (20_000, 20_000)), "PNG", compress_level=1)}, "png", "bomb"
    )
    if not corpus.bombs:
        return
    grey, clear = Image.new("L", (9_990, 9_990)), Image.new("RGBA", (9_990, 9_990))
    corpus.add_all(
        {
            "below-the-limit.png": encoded(grey, "PNG"),
            "below-the-limit-clear.png": encoded(clear, "PNG", compress_level=1),
        },
        "png",
        "bomb",
    )
    wide = encoded(Image.new("1", (20_000, 20_000)), "TIFF", compression="tiff_deflate")
    packed = encoded(grey, "TIFF", compression="tiff_deflate")
    corpus.add_all({"bomb.tif": wide, "below-the-limit.tif": packed}, "tif", "bomb")
    corpus.add_all({"below-the-limit.jpg": encoded(grey, "JPEG")}, "jpg", "bomb")
    largest = Image.new("L", (16_383, 16_383))
    corpus.add_all({"bomb.webp": encoded(largest, "WEBP", lossless=True, method=0)}, "webp", "bomb")
