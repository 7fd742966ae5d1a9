"""A whole set in one frame: what it looks like on disk, what is left out, and which cues are gone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from atypia.datasets.phantom import phantom_image
from atypia.equalising import Settings, equalise
from atypia.errors import BadOption, NotEnoughScans
from atypia.reading.collection import Collection, Row, read_collection, write_collection
from atypia.scalars import measure_rows


def auroc(values: np.ndarray, positive: np.ndarray) -> float:
    pairs = values[positive][:, None] - values[~positive][None]
    return float((pairs > 0).mean() + 0.5 * (pairs == 0).mean())


@pytest.fixture(scope="module")
def unequal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table whose classes differ in nothing but how they were stored: size, shape, JPEG quality."""
    folder = tmp_path_factory.mktemp("unequal")
    rng, rows = np.random.default_rng(4), []
    for seed in range(24):
        sick = seed % 2 == 1
        phantom = phantom_image(seed, sequence="T1", head=True)
        side = int(rng.integers(330, 380) if sick else rng.integers(200, 250))
        picture = PIL.Image.fromarray(phantom.pixels).resize((side, side), PIL.Image.Resampling.BICUBIC)
        if not sick:
            picture = PIL.Image.fromarray(np.pad(np.asarray(picture), ((0, 0), (20, 30))))
        path = folder / f"{'sick' if sick else 'well'}-{seed}.jpg"
        picture.convert("RGB" if sick else "L").save(path, quality=60 if sick else 95)
        mask = folder / f"{path.stem}.png" if sick else None
        if mask is not None:
            PIL.Image.fromarray(np.asarray(picture) > 150).save(mask)
        label = "abnormal" if sick else "normal"
        rows.append(Row(path, path.name, label, "test", f"patient {seed}", "kind", mask, plane="axial"))
    table = folder / "table.csv"
    write_collection(Collection(tuple(rows), str(table)), table)
    return table


def test_pictures_are_of_one_kind_and_the_table_says_what_it_said(unequal: Path, tmp_path: Path) -> None:
    before = read_collection(unequal)
    done = equalise(before, tmp_path / "equal", Settings(side=96))
    rows = read_collection(done.table).rows
    for row, old in zip(rows, before, strict=True):
        assert (row.label, row.split, row.group, row.kind, row.plane) == (
            old.label,
            old.split,
            old.group,
            old.kind,
            old.plane,
        )
        with PIL.Image.open(row.path) as picture:
            assert (picture.size, picture.mode, picture.format) == ((96, 96), "L", "PNG")
            assert picture.info == {}
        assert (row.mask is None) == (old.mask is None)
        if row.mask is not None:
            with PIL.Image.open(row.mask) as mask:
                assert mask.size == (96, 96)
                assert np.asarray(mask).any()
    assert sorted(path.name for path in (tmp_path / "equal" / "images").iterdir()) == [
        f"{number:05}.png" for number in range(24)
    ]
    assert [row.path.name for row in rows] != sorted(row.path.name for row in rows)
    record = json.loads((tmp_path / "equal" / "equalised.json").read_text())
    assert record["complete"]
    assert (record["written"], record["with_mask"], record["left_out"]) == (24, 12, [])


def test_what_told_the_classes_apart_tells_them_apart_no_more(unequal: Path, tmp_path: Path) -> None:
    before = read_collection(unequal)
    done = equalise(before, tmp_path / "equal", Settings(side=128))
    after = read_collection(done.table)
    sick = np.array([row.label == "abnormal" for row in before])
    cues = [measure_rows(rows) for rows in (before.rows, after.rows)]
    areas = {
        name: [abs(auroc(cue.column(name), sick) - 0.5) for cue in cues]
        for name in ("width", "pixel_count", "aspect", "bytes_per_pixel", "colour_mode")
    }
    for name, (told, tells) in areas.items():
        assert told > 0.4 or name == "colour_mode", name
        assert tells < told or told == 0, name
    for name in ("width", "pixel_count", "aspect", "colour_mode"):
        assert areas[name][1] == 0
    assert areas["bytes_per_pixel"][1] < 0.3


def test_jpeg_has_one_quality(unequal: Path, tmp_path: Path) -> None:
    done = equalise(
        read_collection(unequal), tmp_path / "equal", Settings(side=64, format="jpeg", quality=80)
    )
    assert np.ptp(measure_rows(done.rows).column("jpeg_quality")) == 0


def test_the_smallest_heads_are_left_out_where_that_is_asked_for(unequal: Path, tmp_path: Path) -> None:
    whole = equalise(read_collection(unequal), tmp_path / "whole", Settings(side=300))
    fewer = equalise(read_collection(unequal), tmp_path / "fewer", Settings(side=300, leave_out=25))
    assert not whole.left_out
    assert whole.resolution < fewer.resolution
    assert 0 < len(fewer.left_out) <= 6
    assert all(one.coarse and one.row.label == "normal" for one in fewer.left_out)
    assert not fewer.failed


def test_a_bad_file_and_a_bad_mask_cost_their_rows(unequal: Path, tmp_path: Path) -> None:
    rows = list(read_collection(unequal).rows)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"nothing")
    small = tmp_path / "small.png"
    PIL.Image.new("1", (20, 20)).save(small)
    rows[0] = replace(rows[0], path=bad)
    rows[2] = replace(rows[2], path=tmp_path / "missing.png")
    rows[1], rows[3] = replace(rows[1], mask=bad), replace(rows[3], mask=small)
    done = equalise(Collection(tuple(rows), "four of them bad"), tmp_path / "equal", Settings(side=64))
    assert [one.row for one in done.failed] == rows[:4]
    assert "small.png: expected" in done.failed[3].why
    assert str(tmp_path) not in "".join(one.why for one in done.failed)
    assert len(read_collection(done.table)) == 20
    record = json.loads((tmp_path / "equal" / "equalised.json").read_text())
    assert [one["reason"] for one in record["left_out"]] == ["unreadable"] * 4


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    rows = (Row(tmp_path / "missing.png", "missing.png"),)
    with pytest.raises(NotEnoughScans, match="received none of 1"):
        equalise(Collection(rows, "nothing"), tmp_path / "equal")


def test_scans_are_never_replaced_by_their_copies(unequal: Path, tmp_path: Path) -> None:
    collection = read_collection(unequal)
    with pytest.raises(BadOption, match="apart from the scans"):
        equalise(collection, unequal.parent)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(BadOption, match=r"without equalised\.json"):
        equalise(collection, tmp_path / "mine")


def test_a_copy_replaces_an_earlier_one(unequal: Path, tmp_path: Path) -> None:
    out = tmp_path / "equal"
    equalise(read_collection(unequal), out, Settings(side=64, format="jpeg"))
    again = equalise(read_collection(unequal).select(label="normal"), out, Settings(side=64))
    assert set((out / "images").iterdir()) == {row.path for row in again.rows}
    assert not (out / "masks").exists()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"side": 8}, "side"),
        ({"side": 64, "resolution": 65}, "resolution"),
        ({"leave_out": 100}, "leave_out"),
        ({"quality": 0}, "quality"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, int], told: str) -> None:
    with pytest.raises(BadOption, match=told):
        Settings(**wrong)  # type: ignore[arg-type]
