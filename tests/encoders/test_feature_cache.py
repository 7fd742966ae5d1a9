from __future__ import annotations

import errno
import os
import subprocess
import sys

import numpy as np
import pytest

from atypia.encoders import Encoder, load_encoder
from atypia.encoders.feature_cache import FeatureCache, content_key
from atypia.errors import OutputError


class Counted:
    """An encoder of two cuts that counts the scans it is given."""

    strides, channels, fingerprint = (4, 8), (2, 3), "f" * 64

    def __init__(self, factor: float = 1.0) -> None:
        self.factor, self.seen = factor, 0

    def __call__(self, pixels):
        self.seen += len(pixels)
        means = self.factor * pixels.mean(axis=(1, 2), dtype=np.float32)
        sides = [pixels.shape[-1] // stride for stride in self.strides]
        shapes = [(len(pixels), side, side, depth) for side, depth in zip(sides, self.channels, strict=True)]
        return [
            np.broadcast_to(means.reshape(-1, 1, 1, 1), shape) + np.arange(shape[-1], dtype=np.float32)
            for shape in shapes
        ]


@pytest.fixture
def encoder():
    return Counted()


@pytest.fixture
def pixels(rng):
    return rng.random((4, 16, 16), dtype=np.float32)


@pytest.fixture
def keys(pixels):
    return [content_key(scan, scan > 0.5) for scan in pixels]


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "features")


def files(cache):
    return sorted(path for path in cache.folder.rglob("*") if path.is_file())


def test_features_are_the_encoder_s_as_float16(cache, encoder, pixels, keys):
    for _ in range(2):
        found = cache.features(encoder, pixels, keys)
        for maps, expected in zip(found, Counted()(pixels), strict=True):
            assert (maps.shape, maps.dtype) == (expected.shape, np.float16)
            assert np.array_equal(maps, expected.astype(np.float16))
    assert encoder.seen == 4


def test_only_what_is_missing_is_computed_and_the_order_is_kept(cache, encoder, pixels, keys):
    cache.features(encoder, pixels[1:3], keys[1:3])
    found = cache.features(encoder, pixels[::-1], keys[::-1])
    assert encoder.seen == 4
    for maps, expected in zip(found, Counted()(pixels[::-1]), strict=True):
        assert np.array_equal(maps, expected.astype(np.float16))


def test_a_real_encoder_s_features_come_back(cache, rng):
    encoder: Encoder = load_encoder("efficientnet-lite0", cut=("stage8", "stage16"), threads=1)
    pixels = rng.random((2, 64, 64), dtype=np.float32)
    first = cache.features(encoder, pixels, ["aa", "bb"])
    again = cache.features(encoder, pixels, ["aa", "bb"])
    assert [maps.shape for maps in first] == [(2, 8, 8, 40), (2, 4, 4, 112)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_another_encoder_has_files_of_its_own(cache, encoder, pixels, keys):
    cache.features(encoder, pixels, keys)
    other = Counted()
    other.fingerprint = "0" * 64
    cache.features(other, pixels, keys)
    assert other.seen == 4
    assert len(files(cache)) == 8


@pytest.mark.parametrize("damage", [b"", b"hello", b"PK\x03\x04" + bytes(90), "cut", "short", "bit", "old"])
def test_a_damaged_file_is_computed_again(cache, encoder, pixels, keys, damage):
    cache.features(encoder, pixels, keys)
    path = next(path for path in files(cache) if path.stem == keys[2])
    if damage == "short":
        np.save(path, np.zeros(7, np.float16))
    elif damage == "bit":
        content = path.read_bytes()
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    elif damage == "old":  # from before a sum stood after the values
        path.write_bytes(path.read_bytes()[:-4])
    else:
        path.write_bytes(path.read_bytes()[:-3] if damage == "cut" else damage)
    found = cache.features(encoder, pixels, keys)
    assert encoder.seen == 5
    assert np.array_equal(found[0], Counted()(pixels)[0].astype(np.float16))
    cache.features(encoder, pixels, keys)
    assert encoder.seen == 5


def test_a_file_with_pickled_things_is_not_opened(cache, encoder, pixels, keys):
    cache.features(encoder, pixels, keys)
    np.save(files(cache)[0], np.array([print], dtype=object), allow_pickle=True)
    cache.features(encoder, pixels, keys)
    assert encoder.seen == 5


def test_what_float16_cannot_hold_stays_finite(cache, pixels, keys):
    found = cache.features(Counted(factor=-1e6), pixels, keys)
    assert found[0].min() == np.finfo(np.float16).min


def test_no_file_is_left_half_written(cache, encoder, pixels, keys, monkeypatch):
    def full(file, *_, **__):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np.lib.format, "write_array", full)
        with pytest.raises(OutputError, match=r"No space left on device.*ATYPIA_CACHE names another folder"):
            cache.features(encoder, pixels, keys)
    assert files(cache) == []


def age(path, days):
    then = path.stat().st_mtime - 86400 * days
    os.utime(path, (then, then))


def test_the_files_used_longest_ago_go_first(cache, encoder, pixels, keys):
    cache.features(encoder, pixels, keys)
    each = files(cache)[0].stat().st_size
    for days, path in enumerate(files(cache)):
        age(path, days)
    left = files(cache)[:2]
    cache.limit = 3 * each
    cache.trim()
    assert files(cache) == left


def test_a_folder_within_its_limit_is_left_alone(cache, encoder, pixels, keys):
    cache.features(encoder, pixels, keys)
    cache.limit = sum(path.stat().st_size for path in files(cache))
    cache.trim()
    assert len(files(cache)) == 4


def test_many_small_fits_pass_the_limit_no_more_than_a_large_one(tmp_path, encoder, rng):
    for fit in range(6):
        cache = FeatureCache(tmp_path, limit=1000)
        pixels = rng.random((1, 16, 16), dtype=np.float32)
        cache.features(encoder, pixels, [f"{fit:064}"])
    assert sum(path.stat().st_size for path in files(cache)) <= 1000


def test_what_a_killed_process_left_is_trimmed_too(cache, encoder, pixels, keys):
    cache.features(encoder, pixels, keys)
    rest = files(cache)[0].with_name(".left.npy.123.part")
    rest.write_bytes(bytes(5000))
    age(rest, 9)
    cache.limit = 4000
    cache.trim()
    assert not rest.exists()
    assert len(files(cache)) == 4


def test_the_key_follows_pixels_and_foreground(rng):
    pixels = rng.random((8, 8), dtype=np.float32)
    head = pixels > 0.5
    key = content_key(pixels, head)
    assert key == content_key(np.asfortranarray(pixels), head)
    assert len({key, content_key(pixels + 1e-6, head), content_key(pixels, ~head)}) == 3


FILLING = """
import sys
from pathlib import Path
import numpy as np
from atypia.encoders import load_encoder
from atypia.encoders.feature_cache import FeatureCache
encoder = load_encoder("efficientnet-lite0", cut=("stage16",), threads=1)
cache = FeatureCache(Path(sys.argv[1]), limit=int(sys.argv[2]))
for place in range(60):
    pixels = np.random.default_rng(place).random((2, 32, 32), dtype=np.float32)
    (found,) = cache.features(encoder, pixels, [f"{place}a", f"{place}b"])
    assert np.array_equal(found, encoder(pixels)[0].astype(np.float16)), place
print("all are right")
"""


@pytest.mark.parametrize("limit", [2**30, 20_000])
def test_two_processes_fill_one_folder_at_once(tmp_path, limit):
    command = [sys.executable, "-c", FILLING, str(tmp_path), str(limit)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=60)[0] for process in both] == ["all are right\n"] * 2
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.suffix == ".npy" for path in left)
    assert len(left) == 120 if limit > 20_000 else left
