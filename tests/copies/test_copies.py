import os
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy import ndimage

from atypia.copies import find_copies
from atypia.copies.alignment import LIKE
from atypia.copies.pose import POSES, posed

COUNT = 12


def smaller(picture):
    return picture.resize((80, 80), Image.Resampling.BICUBIC)


CHANGES = {
    "larger": lambda picture: picture.resize((320, 320), Image.Resampling.BICUBIC),
    "smaller": smaller,
    "stretched": lambda picture: picture.resize((200, 150), Image.Resampling.BICUBIC),
    "cropped at one corner": lambda picture: picture.crop((8, 8, 160, 160)),
    "cropped all round": lambda picture: picture.crop((8, 8, 152, 152)),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.3),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.7),
    "less contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(0.7),
    "in colour": lambda picture: picture.convert("RGB"),
}


@pytest.fixture
def originals(draw_pictures, save):
    pictures = draw_pictures(COUNT)
    return pictures, [save(picture, f"{place}.png") for place, picture in enumerate(pictures)]


def test_pictures_of_their_own_are_no_copies(originals):
    found = find_copies(originals[1])
    assert found.clusters == tuple(range(COUNT))
    assert (found.pairs, found.unreadable) == ((), ())


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_picture_is_found(change, originals, save):
    pictures, rows = originals
    copies = [
        save(CHANGES[change](Image.fromarray(picture)), f"c{n}.png") for n, picture in enumerate(pictures[:4])
    ]
    found = find_copies([*rows, *copies])
    assert found.clusters == (*range(COUNT), *range(4))
    assert all(pair.transform == "same" and pair.similarity >= LIKE for pair in found.pairs)


@pytest.mark.parametrize("quality", [40, 95])
def test_an_encoded_picture_is_found(quality, originals, save):
    pictures, rows = originals
    copies = [save(picture, f"c{n}.jpg", quality=quality) for n, picture in enumerate(pictures[:4])]
    assert find_copies([*rows, *copies]).clusters == (*range(COUNT), *range(4))


def test_every_pose_is_found_and_named(originals, save):
    pictures, rows = originals
    copies = [save(posed(pictures[pose], pose), f"c{pose}.jpg", quality=85) for pose in range(len(POSES))]
    found = find_copies([*rows, *copies])
    assert found.clusters == (*range(COUNT), *range(len(POSES)))
    assert {(pair.first, pair.second, pair.transform) for pair in found.pairs} == {
        (pose, COUNT + pose, name) for pose, name in enumerate(POSES)
    }
    assert {pair.kind for pair in found.pairs} == {"near-copy"}


def test_equal_pixels_are_told_whatever_the_file(originals, save):
    pictures, rows = originals
    copy = save(Image.fromarray(pictures[3]).convert("RGB"), "copy.tif")
    found = find_copies([*rows, copy])
    (pair,) = found.pairs
    assert (pair.first, pair.second, pair.kind, pair.similarity) == (3, COUNT, "equal pixels", 1.0)


def test_copies_of_one_picture_are_one_cluster(originals, save):
    pictures, rows = originals
    picture = Image.fromarray(pictures[0])
    copies = [
        save(smaller(picture), "a.png"),
        save(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "b.png"),
        save(picture.crop((4, 8, 158, 155)).rotate(90), "c.jpg", quality=60),
        save(picture, "d.bmp"),
    ]
    found = find_copies([*copies, *rows])
    assert Counter(found.clusters)[found.clusters[0]] == 5
    assert set(found.clusters[:5]) == {0}


def test_neighbours_in_a_volume_are_no_copies_and_form_no_chain(draw_pictures, save):
    ends = draw_pictures(2, seed=7).astype(float)
    shares = np.linspace(0, 1, 25)
    slices = [save(((1 - s) * ends[0] + s * ends[1]).astype(np.uint8), f"{s:.3f}.png") for s in shares]
    clusters = find_copies(slices).clusters
    assert clusters[0] != clusters[-1]
    assert max(Counter(clusters).values()) < 12


def test_a_bad_file_costs_itself_alone(originals, save, tmp_path):
    pictures, rows = originals
    bad = save(pictures[0], "bad.png")
    os.truncate(bad.path, 300)
    gone = bad.__class__(tmp_path / "gone.png", "gone.png")
    found = find_copies([bad, rows[0], gone, save(pictures[0], "copy.bmp")])
    assert found.clusters == (-1, 0, -1, 0)
    assert [place for place, _ in found.unreadable] == [0, 2]
    assert "bad.png" in found.unreadable[0][1]
    assert "no such file" in found.unreadable[1][1]


def test_blank_pictures_are_nobodys_copies(save):
    rows = [save(np.full((64, 64), grey, np.uint8), f"{n}.png") for n, grey in enumerate((0, 0, 128))]
    found = find_copies(rows)
    assert found.clusters == (0, 1, 2)
    assert found.pairs == ()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_pictures_will_do(count, originals):
    assert find_copies(originals[1][:count]).clusters == tuple(range(count))


def test_the_same_rows_give_the_same_result(originals, save):
    pictures, rows = originals
    noisy = ndimage.gaussian_filter(pictures[5], 0.7)
    rows = [*rows, save(noisy, "n.png"), save(pictures[2][::-1], "m.jpg", quality=70)]
    assert find_copies(rows) == find_copies(rows, workers=1)


def test_sixteen_bits_are_compared_like_eight(originals, save):
    pictures, rows = originals
    deep = save((pictures[1].astype(np.uint16) * 200 + 7), "deep.png")
    assert find_copies([*rows, deep]).clusters[-1] == 1


@pytest.mark.real_data
def test_real_slices_of_different_patients_are_no_copies(real_data):
    from atypia.reading.collection import Collection, read_collection

    folders = sorted((real_data / "lgg-flair").iterdir())[:8]
    rows = [row for folder in folders for row in read_collection(folder).rows]
    clusters = find_copies(Collection(tuple(rows), "").rows).clusters
    groups = {(cluster, row.path.parent.name) for cluster, row in zip(clusters, rows, strict=True)}
    assert len(groups) == len(set(clusters))
