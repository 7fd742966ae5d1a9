"""Names, folders, links and special files: what a file is called and where it lies, not what it holds."""

from __future__ import annotations

import gzip
import os
import socket
import sqlite3
import unicodedata
from contextlib import closing
from pathlib import Path

import nibabel
import numpy as np

from bad_corpus.corpus import JUDGED, UNLISTED, UNREADABLE, Corpus
from bad_corpus.dicom import slice_of, written
from bad_corpus.pictures import encoded, plain

DEEP, TOO_DEEP = 60, 1200

NAMES: tuple[bytes, ...] = (
    b"two\nlines.png",
    b"a\ttab.png",
    b"carriage\rreturn.png",
    b"\x1b[31mred\x1b[0m.png",
    b'"quoted",;.png',
    b"it's.png",
    b"-o.png",
    b"--help.png",
    b"=cmd().png",
    b"@sum.png",
    b"+1.png",
    b" blank first.png",
    b"blank last .png",
    b"two  blanks.png",
    b"\xff\xfe.png",
    b"\xc3(.png",
    b"\xed\xa0\x80.png",
    b"\\udcff\\udcfe.png",
    b"back\\slash.png",
    b"C:scan.png",
    b"CON.png",
    b"a:ax001.png",
    b"s3:x.png",
    b"100%.png",
    b"%s%n{0}.png",
    b"$HOME `id` ;.png",
    b"*?[a].png",
    b"<script>alert(1)<.png",
    b"&amp;.png",
    b"a.png.png",
    b"no dots..png",
    b"UPPER.PNG",
    b"upper.PNG",
    b"Upper.Png",
    "Größe 日本 🧠.png".encode(),
    "\u202egnp.exe.png".encode(),
    "\ufeffmark.png".encode(),
    "zero\u200bwidth.png".encode(),
    "\u0085next.png".encode(),
    "line\u2028end.png".encode(),
    b"x" * 251 + b".png",
    "日".encode() * 83 + b".png",
    unicodedata.normalize("NFC", "é.png").encode(),
    unicodedata.normalize("NFD", "é.png").encode(),
)


def make(corpus: Corpus) -> None:
    """Write all of them."""
    content = encoded(corpus.heads[8], "PNG")
    for name in NAMES:
        corpus.add(name, content, "png", "odd name", JUDGED)
    _strangers(corpus)
    _folders(corpus, content)
    _links(corpus)
    _no_files(corpus)


def _strangers(corpus: Corpus) -> None:
    """Files that are not what their suffix says."""
    pictures = plain(corpus.heads[9])
    grid = np.uint8(corpus.heads[9:12].transpose(2, 1, 0))
    volume = nibabel.Nifti1Image(grid, np.diag([2.0, 2, 5, 1])).to_bytes()
    series = written(slice_of(corpus.heads[9], 0, 4))
    base = corpus.root / "base.sqlite"
    with closing(sqlite3.connect(base)) as connection:
        connection.execute("CREATE TABLE scans (a)")
    stranger = {
        "gif": encoded(corpus.heads[9], "GIF"),
        "text": b"no picture\n",
        "page": b"<!doctype html><title>sign in</title>",
        "document": b"%PDF-1.7\n",
        "pointer": b"version https://git-lfs.github.com/spec/v1\n",
        "program": b"\x7fELF" + bytes(200),
        "base": base.read_bytes(),
        "zeros": bytes(5000),
        "ones": b"\xff" * 5000,
        "noise": corpus.rng(6).bytes(5000),
        "wide-text": "no picture".encode("utf-16"),
    }
    base.unlink()
    for suffix in (".png", ".jpg", ".tif", ".bmp", ".webp", ".nii", ".nii.gz", ".dcm"):
        form = suffix.strip(".").replace("dcm", "dicom")
        corpus.add(f"{form}/empty{suffix}", b"", form, "empty")
        kinds = stranger | {"volume": volume, "packed": gzip.compress(volume), "series": series}
        for name, content in kinds.items():
            fits = (name, suffix) in {
                ("volume", ".nii"),
                ("packed", ".nii.gz"),
                ("packed", ".nii"),
                ("volume", ".nii.gz"),
                ("series", ".dcm"),
            }
            if not fits and (suffix in (".png", ".nii", ".dcm") or name in ("zeros", "noise")):
                place = f"wrong/{name}{suffix.replace('.', '-')}/a{suffix}"
                corpus.add(place, content, form, "wrong suffix")
    for name, content in pictures.items():
        other = ".bmp" if name == ".png" else ".png"
        corpus.add(f"wrong/{name.strip('.')}-as{other}", content, name.strip("."), "wrong suffix", JUDGED)
        corpus.add(f"wrong/{name.strip('.')}.nii", content, name.strip("."), "wrong suffix")
    corpus.add("wrong/packed.nii", gzip.compress(volume), "nii.gz", "wrong suffix", JUDGED)
    corpus.add("wrong/plain.nii.gz", volume, "nii", "wrong suffix", JUDGED)
    corpus.add("wrong/none", encoded(corpus.heads[9], "PNG"), "png", "no suffix", UNLISTED)
    corpus.add_series("wrong/series", {"IM000": series}, "dicom", "no suffix", JUDGED)


def _folders(corpus: Corpus, content: bytes) -> None:
    deep = "/".join(["deep"] + ["a"] * DEEP)
    corpus.add(f"{deep}/bottom.png", content, "png", "deep folders", JUDGED)
    too_deep = "/".join(["too-deep"] + ["a"] * TOO_DEEP)
    corpus.add(f"{too_deep}/bottom.png", content, "png", "deep folders", JUDGED)
    corpus.add(".hidden.png", content, "png", "hidden", UNLISTED)
    corpus.add("__MACOSX/._scan.png", b"\0\5\x16\7", "png", "hidden", UNLISTED)
    for name in ("folder.png", "folder.nii.gz", "folder.dcm"):
        corpus.add(f"{name}/scan.png", content, "png", "a folder with the suffix of a file", JUDGED)
        (corpus.scans / "empty" / name).mkdir(parents=True)
        corpus.note(f"empty/{name}", "png", "empty folder", UNLISTED)
    (corpus.scans / "empty/DICOMDIR").mkdir(parents=True)
    corpus.note("empty/DICOMDIR", "dicomdir", "empty folder", UNLISTED)
    for name in ("table.csv", "model.atypia", "Thumbs.db", "scan.zip", "notes.txt", "scan.avi"):
        corpus.add(f"others/{name}", b"no scan", name.rpartition(".")[2], "no scan", UNLISTED)


def _links(corpus: Corpus) -> None:
    outside = corpus.root / "outside"
    outside.mkdir()
    (outside / "scan.png").write_bytes(encoded(corpus.heads[10], "PNG"))
    corpus.link("links/out.png", "../../outside/scan.png", "png", "link out of the folder", JUDGED)
    corpus.link("links/gone.png", "nowhere.png", "png", "link to nothing", UNREADABLE)
    corpus.link("links/gone.nii.gz", "nowhere.nii.gz", "nii.gz", "link to nothing", UNREADABLE)
    corpus.link("links/gone.dcm", "nowhere.dcm", "dicom", "link to nothing", UNREADABLE)
    corpus.link("links/itself.png", "itself.png", "png", "link in circles", UNREADABLE)
    corpus.link("links/itself.nii", "itself.nii", "nii", "link in circles", UNREADABLE)
    corpus.link("links/itself.dcm", "itself.dcm", "dicom", "link in circles", UNREADABLE)
    corpus.link("links/itself", "itself", "png", "link in circles", UNLISTED)
    corpus.link("links/around", "..", "png", "link in circles", UNLISTED)
    corpus.link("links/far/around", corpus.scans, "png", "link in circles", UNLISTED)
    for device, suffix, form in (
        ("zero", ".png", "png"),
        ("null", ".nii", "nii"),
        ("full", ".dcm", "dicom"),
        ("urandom", "", "png"),
    ):
        told = UNREADABLE if suffix else UNLISTED
        corpus.link(f"links/{device}{suffix}", f"/dev/{device}", form, "link to a device", told)


def _no_files(corpus: Corpus) -> None:
    """Pipes and sockets, which would be waited for; and files that may not be read."""

    def listening(path: Path) -> None:
        here = socket.socket(socket.AF_UNIX)
        before = os.open(".", os.O_RDONLY)
        try:
            os.chdir(path.parent)  # the whole path may be longer than that of a socket can be
            here.bind(path.name)
        finally:
            os.fchdir(before)
            os.close(before)
            here.close()

    for suffix, form in (
        (".png", "png"),
        (".nii", "nii"),
        (".nii.gz", "nii.gz"),
        (".dcm", "dicom"),
        ("", "png"),
    ):
        told = UNREADABLE if suffix else UNLISTED
        corpus.special(f"special/pipe{suffix}", os.mkfifo, form, "pipe", told)
        corpus.special(f"special/socket{suffix}", listening, form, "socket", told)
    corpus.special("special/disc/DICOMDIR", os.mkfifo, "dicomdir", "pipe", UNLISTED)
    if os.geteuid() != 0:  # root may read all
        for name, form in (("png/locked.png", "png"), ("nii/locked.nii", "nii"), ("locked/a.dcm", "dicom")):
            corpus.add(name, b"", form, "may not be read")
            (corpus.scans / name).chmod(0)
