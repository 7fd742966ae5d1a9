from dataclasses import replace

import numpy as np
import pytest

from atypia.copies import Copies, cluster_ungrouped, is_cluster, with_clusters
from atypia.reading.collection import Collection, Row

FOUR = tuple(Row(name, name) for name in "abcd")


def groups(collection):
    return [row.group for row in collection]


def test_rows_take_the_number_of_their_cluster():
    found = with_clusters(Collection(FOUR, "t"), Copies((0, 1, 0, -1), (), ((3, "broken"),)))
    assert groups(found) == ["copies-00000", "copies-00001", "copies-00000", None]
    assert [is_cluster(group) for group in groups(found)] == [True, True, True, False]


def test_known_groups_stay_and_their_copies_join_them():
    rows = (replace(FOUR[0], group="p1"), FOUR[1], FOUR[2], replace(FOUR[3], group="p2"))
    assert groups(with_clusters(Collection(rows, "t"), Copies((0, 0, 1, 2), (), ()))) == [
        "p1", "p1", "copies-00001", "p2",
    ]  # fmt: skip


def test_a_copy_of_two_groups_joins_neither():
    rows = (replace(FOUR[0], group="p1"), FOUR[1], replace(FOUR[2], group="p2"), FOUR[3])
    found = with_clusters(Collection(rows, "t"), Copies((0, 0, 0, 1), (), ()))
    assert groups(found) == ["p1", "copies-00000", "p2", "copies-00001"]


def test_copies_of_other_rows_are_refused():
    with pytest.raises(ValueError, match="argument 2"):
        with_clusters(Collection(FOUR, "t"), Copies((0,), (), ()))


def test_nothing_is_read_where_all_groups_are_known():
    rows = tuple(replace(row, group=row.name) for row in FOUR)
    collection = Collection(rows, "t")
    assert cluster_ungrouped(collection) == (collection, None)


def test_clusters_are_found_and_told(draw_pictures, save):
    pictures = draw_pictures(3)
    rows = [save(picture, f"{n}.png") for n, picture in enumerate(pictures)]
    rows.append(save(np.fliplr(pictures[1]), "mirrored.png"))
    clustered, found = cluster_ungrouped(Collection(tuple(rows), "t"))
    assert groups(clustered) == [f"copies-0000{number}" for number in (0, 1, 2, 1)]
    assert found == "No group is known of 4 of 4 scans: 1 cluster of near-copies with 2 scans"


def test_what_could_not_be_read_is_told(draw_pictures, save, tmp_path):
    rows = [save(picture, f"{n}.png") for n, picture in enumerate(draw_pictures(2))]
    rows = [replace(rows[0], group="p1"), rows[1], Row(tmp_path / "none.png", "none.png")]
    clustered, found = cluster_ungrouped(Collection(tuple(rows), "t"))
    assert groups(clustered) == ["p1", "copies-00001", None]
    assert found == "No group is known of 2 of 3 scans: no near-copies (1 could not be read)"
