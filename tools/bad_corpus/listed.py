"""What is handed in by itself: tables of scans, saved Screeners, and archives for the service."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from collections.abc import Iterator

from bad_corpus.corpus import Corpus, cut, flipped
from bad_corpus.pictures import encoded


def make(corpus: Corpus, screener: bytes) -> None:
    """Write all of them; a sound Screener is spoilt in many ways."""
    for name, content in dict(_tables()).items():
        corpus.add(name, content, name.rpartition(".")[2], "broken table", part="tables")
    ends = [0, 4, 30, len(screener) // 3, len(screener) - 22, len(screener) - 1]
    spoilt = cut(screener, ends, ".atypia") | flipped(screener, 8, corpus.rng(7), ".atypia")
    spoilt |= {"text.atypia": b"no zip", "picture.atypia": encoded(corpus.heads[0], "PNG")}
    for name, content in spoilt.items():
        corpus.add(name, content, "atypia", name.partition("-")[0].partition(".")[0], part="screeners")
    for name, content in dict(_archives(encoded(corpus.heads[0], "PNG"))).items():
        corpus.add(f"{name}.zip", content, "zip", "broken archive", part="archives")


def _tables() -> Iterator[tuple[str, bytes]]:
    yield "empty.csv", b""
    yield "no-rows.csv", b"path,label\n"
    yield "no-path.csv", b"file\na.png\n"
    yield "path-twice.csv", b"path,path\na.png,b.png\n"
    yield "zeros.csv", bytes(3000)
    yield "zero-in-path.csv", b"path\na\0.png\n"
    yield "other-bytes.csv", b"path\n\xff\xfe.png\n"
    yield "wide.csv", "path\na.png\n".encode("utf-16")
    yield "open-quote.csv", b'path,label\n"a.png,normal\n'
    yield "more-values.csv", b"path\na.png,b.png\n"
    yield "long-cell.csv", b"path\n" + b"x" * 200_000 + b"\n"
    yield "unknown-label.csv", b"path,label\na.png,healthyish\n"
    yield "unknown-split.csv", b"path,split\na.png,trian\n"
    yield "abnormal-in-train.csv", b"path,label,split\na.png,abnormal,train\n"
    yield "the-same-twice.csv", b"path\na.png\n./a.png\n"
    yield "no-plane.csv", b"path,plane,slice\na.nii,upside,3\n"
    yield "slice-negative.csv", b"path,plane,slice\na.nii,axial,-1\n"
    yield "volume-text.csv", b"path,volume\na.nii,last\n"
    yield "empty.parquet", b""
    yield "cut.parquet", b"PAR1" + bytes(20)
    yield "text.parquet", b"path\na.png\n"
    yield "lying.parquet", b"PAR1" + bytes(40) + struct.pack("<I", 2**31 - 1) + b"PAR1"


def zipped(*entries: tuple[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of these entries."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names may come twice
        for name, content in entries:
            archive.writestr(name, content)
    return file.getvalue()


def _archives(picture: bytes) -> Iterator[tuple[str, bytes]]:
    whole = zipped(("a.png", picture), ("b/c.png", picture))
    middle, end = whole.index(b"PK\1\2"), whole.index(b"PK\5\6")
    for name, at in (
        ("nothing", 0),
        ("magic", 4),
        ("header", 30),
        ("entry", middle // 2),
        ("directory", middle),
        ("within", middle + 20),
        ("end", end),
        ("last", len(whole) - 1),
    ):
        yield f"cut-{name}", whole[:at]
    yield "no-entries", zipped()
    yield "climbing", zipped(("../../a.png", picture))
    yield "absolute", zipped(("/etc/a.png", picture))
    yield "drive", zipped(("C:\\a.png", picture))
    yield "twice", zipped(("a.png", picture), ("a.png", picture))
    yield "only-folders", zipped(("a/", b""), ("a/b/", b""))
    yield "bomb", zipped(("a.png", picture + bytes(120_000_000)))
    nest = zipped(("a.png", picture))
    for _ in range(30):
        nest = zipped(("a.zip", nest))
    yield "nested", nest
    yield "many", zipped(*((f"{number}.txt", b"") for number in range(12_000)))
    yield "long-name", zipped(("a/" * 30_000 + "a.png", picture))
    yield (
        "unknown-packing",
        whole[:8] + b"\x63\0" + whole[10 : middle + 10] + b"\x63\0" + whole[middle + 12 :],
    )
    yield "secret", whole[:6] + b"\1\0" + whole[8 : middle + 8] + b"\1\0" + whole[middle + 10 :]
    yield "lying-size", whole[: middle + 24] + struct.pack("<I", 10) + whole[middle + 28 :]
    yield "lying-place", whole[: middle + 42] + struct.pack("<I", 2**31) + whole[middle + 46 :]
    yield "lying-count", whole[: end + 8] + struct.pack("<HH", 65535, 65535) + whole[end + 12 :]
    link = zipfile.ZipInfo("scan.png")
    link.external_attr = 0o120777 << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    yield "link", file.getvalue()
