"""The healthy scans that look most alike: kept once, nearest first, told as small pictures."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from atypia.screener import Screener
from atypia.service import alike

SHA = "a" * 64


@pytest.fixture(scope="module")
def loaded(screener_file):
    return Screener.load(screener_file)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory, head_png):
    """A folder of healthy heads, an abnormal one, and what is no picture."""
    folder = tmp_path_factory.mktemp("healthy")
    for seed in range(6):
        (folder / f"{seed}.png").write_bytes(head_png(seed, size=64))
    (folder / "tumor").mkdir()
    (folder / "tumor" / "sick.png").write_bytes(head_png(7, lesion=0.5, size=64))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


def prepared_of(loaded, folder, name, tmp_path):
    """What a worker writes of a scan as the Screener saw it."""
    from atypia.loading import load
    from atypia.reading.collection import read_collection

    rows = [row for row in read_collection(folder).rows if row.name == name]
    (one,) = load(rows, loaded.preparation)
    path = tmp_path / "prepared.png"
    PIL.Image.fromarray(np.uint8(np.rint(255 * one.prepared.pixels))).save(path)
    return path


def test_the_nearest_of_a_scan_is_itself(home, loaded, healthy, tmp_path):
    assert alike.ensure(home, SHA, loaded, healthy)
    assert alike.is_there(home, SHA)
    nearest = alike.alike(home, SHA, prepared_of(loaded, healthy, "3.png", tmp_path), 20)
    assert len(nearest) == 6  # neither the abnormal one nor the broken one
    assert nearest[0].distance == pytest.approx(0, abs=0.05)
    distances = [one.distance for one in nearest]
    assert distances == sorted(distances)
    with PIL.Image.open(io.BytesIO(nearest[0].thumbnail)) as picture:
        assert (picture.format, picture.size) == ("WEBP", (alike.THUMBNAIL, alike.THUMBNAIL))
    assert nearest[0].data_url.startswith("data:image/webp;base64,")
    assert not list(home.healthy.glob("*.making"))


def test_they_are_kept_once_and_passed_on_with_another_threshold(home, loaded, healthy):
    alike.ensure(home, SHA, loaded, healthy)
    changed = alike.place(home, SHA).stat().st_mtime_ns
    assert alike.ensure(home, SHA, SimpleNamespace(), healthy)
    assert alike.place(home, SHA).stat().st_mtime_ns == changed
    alike.inherit(home, "b" * 64, SHA)
    assert alike.is_there(home, "b" * 64)
    alike.inherit(home, "d" * 64, "c" * 64)
    assert not alike.is_there(home, "d" * 64)


def test_without_healthy_scans_there_are_none(home, loaded):
    assert not alike.ensure(home, SHA, loaded, None)
    with pytest.raises(FileNotFoundError):
        alike.alike(home, SHA, home.path / "prepared.png", 5)


def test_the_screener_that_comes_along_has_phantoms(home, loaded, monkeypatch):
    from atypia.pretrained import pretrained_path
    from atypia.screening.making import hash_of

    monkeypatch.setattr(alike, "PHANTOMS", 3)
    sha256 = hash_of(pretrained_path("synthetic"))
    assert alike.ensure(home, sha256, loaded, None)
    with np.load(alike.place(home, sha256), allow_pickle=False) as kept:
        assert len(kept["descriptors"]) == 3


def test_another_process_that_is_at_it_is_left_alone(home, loaded, healthy):
    from atypia.destination import held

    work = home.healthy / f"{SHA}.making"
    work.mkdir()
    with held(work):
        assert not alike.ensure(home, SHA, loaded, healthy)
    assert not alike.is_there(home, SHA)


@pytest.mark.usefixtures("store")
def test_the_api_tells_them_or_why_not(client, home, loaded, healthy, screener, add_finding, tmp_path):
    prepared = prepared_of(loaded, healthy, "2.png", tmp_path).read_bytes()
    row, volume = add_finding(files={"prepared.png": prepared}), add_finding(kind="volume")
    url = "/api/v1/findings/{}/alike"
    missing = client.get(url.format(row.id))
    assert (missing.status_code, missing.json()["title"]) == (404, "No healthy scans")
    alike.ensure(home, screener.sha256, loaded, healthy)
    told = client.get(url.format(row.id), params={"n": 2}).json()
    assert [one["distance"] for one in told] == sorted(one["distance"] for one in told)
    assert len(told) == 2
    assert client.get(f"/api/v1/screeners/{screener.id}").json()["has_alike"] is True
    assert client.get(url.format(volume.id)).status_code == 404


@given(arrays(np.float32, (48, 48), elements=st.floats(0, 1, width=32)), st.floats(0.5, 2), st.floats(-1, 1))
def test_brightness_and_contrast_do_not_matter(pixels, contrast, brightness):
    one = alike.descriptor(pixels)
    other = alike.descriptor(np.float32(pixels * contrast + brightness))
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-3) or not one.any()
    if one.any() and pixels.std() > 0.01:
        assert np.linalg.norm(one - other) < 0.05
