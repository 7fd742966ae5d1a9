"""A folder lists its pictures in order, with labels from class folders and masks apart from scans."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from atypia.errors import BadTable, UnreadableScan
from atypia.reading.collection import read_collection
from atypia.reading.folder import label_of, read_folder
from atypia.reading.rows import read_row


def touch(folder: Path, *names: str) -> None:
    """Make empty files: listing opens no picture."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_pictures_are_listed_sorted_and_recursively(tmp_path: Path) -> None:
    touch(tmp_path, "b.PNG", "a.jpg", "deep/er/c.tiff", "notes.txt", "d.webp", "deep/e.bmp", "f.jpeg")
    rows = read_folder(tmp_path)
    assert [row.name for row in rows] == [
        "a.jpg",
        "b.PNG",
        "d.webp",
        "deep/e.bmp",
        "deep/er/c.tiff",
        "f.jpeg",
    ]
    assert all(row.path == tmp_path / row.name for row in rows)
    assert {row.label for row in rows} == {None}


def test_class_folders_give_label_and_kind(tmp_path: Path) -> None:
    touch(tmp_path, "Healthy/a.png", "No Tumor/b.png", "no_tumor/c.png", "glioma/d.png", "yes/e.png")
    touch(tmp_path, "patient 7/f.png", "Testing/meningioma/g.png", "h.png")
    rows = {row.path.stem: (row.label, row.kind) for row in read_folder(tmp_path)}
    assert rows == {
        "a": ("normal", "Healthy"),
        "b": ("normal", "No Tumor"),
        "c": ("normal", "no_tumor"),
        "d": ("abnormal", "glioma"),
        "e": ("abnormal", "yes"),
        "f": (None, "patient 7"),
        "g": ("abnormal", "meningioma"),
        "h": (None, None),
    }


@pytest.mark.parametrize("word", ["healthy", "NORMAL", "no", "notumor", "no-tumour", "Control", "Non_Tumor"])
def test_words_for_normal(word: str) -> None:
    assert label_of(word) == "normal"


@pytest.mark.parametrize(
    "word", ["tumor", "Tumour", "abnormal", "yes", "pituitary", "LESION", "glioma_tumor"]
)
def test_words_for_abnormal(word: str) -> None:
    assert label_of(word) == "abnormal"


def test_masks_beside_scans_are_no_scans(tmp_path: Path) -> None:
    touch(tmp_path, "p/x_1.png", "p/x_1_mask.png", "p/x_2.jpg", "p/x_2_mask.tif", "p/x_3.png", "y_mask.png")
    masks = {row.name: row.mask and row.mask.name for row in read_folder(tmp_path)}
    assert masks == {
        "p/x_1.png": "x_1_mask.png",
        "p/x_2.jpg": "x_2_mask.tif",
        "p/x_3.png": None,
        "y_mask.png": None,
    }


def test_a_folder_of_masks_beside_or_inside(tmp_path: Path) -> None:
    touch(
        tmp_path, "tumor/a.jpg", "tumor/b.jpg", "masks/a.png", "masks/b_mask.png", "masks/b.txt", "no/a.jpg"
    )
    touch(tmp_path, "tumor/Masks/c.png", "lesion/c.jpg", "lesion/mask/c.png")
    masks = {
        row.name: row.mask and row.mask.relative_to(tmp_path).as_posix() for row in read_folder(tmp_path)
    }
    assert masks == {
        "lesion/c.jpg": "lesion/mask/c.png",
        "no/a.jpg": "masks/a.png",
        "tumor/a.jpg": "masks/a.png",
        "tumor/b.jpg": "masks/b_mask.png",
    }
    assert read_folder(tmp_path / "tumor")[0].mask == tmp_path / "masks" / "a.png"
    assert [row.name for row in read_folder(tmp_path / "masks")] == ["a.png", "b_mask.png"]


def test_hidden_and_archive_leftovers_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", ".b.png", "._a.png", ".thumbs/c.png", "__MACOSX/d.png")
    assert [row.name for row in read_folder(tmp_path)] == ["a.png"]


def test_links_do_not_lead_in_circles(tmp_path: Path) -> None:
    touch(tmp_path, "real/a.png", "real/deep/b.png", "elsewhere/c.png")
    (tmp_path / "real" / "deep" / "loop").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "self").symlink_to("self")
    (tmp_path / "real" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "real" / "dangling.png").symlink_to("gone")
    names = [row.name for row in read_folder(tmp_path / "real")]
    assert names == ["a.png", "dangling.png", "deep/b.png", "link/c.png"]


def test_a_name_that_is_no_text_can_still_be_written(tmp_path: Path) -> None:
    touch(tmp_path, "caf\udce9.png", "ü.png")
    assert sorted(row.name for row in read_folder(tmp_path)) == ["caf\\udce9.png", "ü.png"]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt", "sub/.hidden.png")
    with pytest.raises(BadTable, match=r"expected a folder with pictures .*\.png.* received none"):
        read_folder(tmp_path)


@pytest.mark.real_data
def test_real_folders(real_data: Path) -> None:
    brisc = read_folder(real_data / "brisc2025-train")
    assert {(row.label, row.mask is not None) for row in brisc} == {("normal", False), ("abnormal", True)}
    flair = read_folder(real_data / "lgg-flair")
    assert len(flair) == 2066
    assert all(row.mask for row in flair)


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENAMETOOLONG], ids=["access", "length"])
@pytest.mark.parametrize("barred", ["closed", "closed.dcm", "closed.nii"])
def test_a_folder_that_cannot_be_listed_is_one_row(tmp_path, monkeypatch, number, barred):
    touch(tmp_path, "a.png", f"{barred}/b.png", "open/c.png")
    _close(monkeypatch, tmp_path / barred, number)
    rows = read_collection(tmp_path).rows
    assert sorted(row.name for row in rows) == ["a.png", barred, "open/c.png"]
    (row,) = (row for row in rows if row.name == barred)
    with pytest.raises(UnreadableScan, match=os.strerror(number).lower()):
        read_row(row)


def test_a_folder_that_cannot_be_listed_itself_is_told(tmp_path, monkeypatch):
    touch(tmp_path, "a.png")
    _close(monkeypatch, tmp_path, errno.EACCES)
    with pytest.raises(BadTable, match="expected a folder or file that can be read, received: Permission"):
        read_collection(tmp_path)


def test_what_may_not_be_looked_at_is_one_row(tmp_path, monkeypatch):
    touch(tmp_path, "a.png", "closed/b")
    is_dir = Path.is_dir

    def refused(self):
        if self.name == "b":
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return is_dir(self)

    monkeypatch.setattr(Path, "is_dir", refused)
    assert [row.name for row in read_folder(tmp_path)] == ["a.png", "closed/b"]


def test_masks_that_cannot_be_listed_are_told(tmp_path, monkeypatch):
    touch(tmp_path, "scans/a.png", "scans/masks/a.png")
    _close(monkeypatch, tmp_path / "scans" / "masks", errno.EACCES)
    aside: list[tuple[str, str]] = []
    (row,) = read_folder(tmp_path / "scans", aside)
    assert row.mask is None
    assert [reason for _, reason in aside] == ["masks that cannot be listed (Permission denied)"]


def _close(monkeypatch: pytest.MonkeyPatch, folder: Path, number: int) -> None:
    """Have a folder not be listed, also by root, who may list all."""
    listed = Path.iterdir

    def refused(self: Path) -> Iterator[Path]:
        if self == folder:
            raise OSError(number, os.strerror(number), str(self))
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", refused)
