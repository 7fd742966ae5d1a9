from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from atypia.audit.clusters import cluster_members, units_of


def test_clusters_come_by_size_without_what_could_not_be_read():
    assert cluster_members([4, 7, -1, 7, 9, 9, 9]) == {9: (4, 5, 6), 7: (1, 3), 4: (0,)}


def test_groups_and_copies_join_in_chains(rows_of):
    rows = rows_of(group=["a", "a", "b", None, None, "c"])
    units = units_of(rows, [0, 1, 1, 2, -1, 3])  # 1 of group a is a copy of 2 of group b
    assert units[0] == units[1] == units[2]
    assert len(set(units)) == 4


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.data())
def test_what_shares_a_cluster_or_a_group_shares_a_unit(clusters, data):
    from pathlib import Path

    from atypia.reading.row import Row

    groups = data.draw(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=30, max_size=30))
    rows = [Row(Path(str(n)), str(n), group=groups[n]) for n in range(len(clusters))]
    units = units_of(rows, clusters)
    for first in range(len(rows)):
        for second in range(first):
            alike = clusters[first] == clusters[second]
            same = rows[first].group is not None and rows[first].group == rows[second].group
            assert not (alike or same) or units[first] == units[second]
