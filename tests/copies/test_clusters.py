import numpy as np
from hypothesis import given
from hypothesis import strategies as some
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from atypia.copies.clusters import Clusters


@given(some.lists(some.tuples(some.integers(0, 19), some.integers(0, 19)), max_size=30))
def test_clusters_are_the_connected_components(pairs):
    clusters = Clusters(20)
    for one, other in pairs:
        clusters.join(one, other)
    ones, others = ([pair[side] for pair in pairs] for side in (0, 1))
    _, expected = connected_components(coo_array((np.ones(len(pairs)), (ones, others)), shape=(20, 20)))
    numbers = clusters.numbers()
    same = np.equal.outer(numbers, numbers)
    assert np.array_equal(same, np.equal.outer(expected, expected))
    assert list(dict.fromkeys(numbers)) == list(range(len(set(numbers))))


def test_those_left_out_have_no_number_and_take_none():
    clusters = Clusters(4)
    clusters.join(0, 3)
    assert clusters.numbers({1}) == [0, -1, 1, 0]


def test_pairs_that_are_together_are_not_apart():
    clusters = Clusters(4)
    clusters.join(2, 1)
    assert clusters.apart(np.array([0, 1]), np.array([3, 2])).tolist() == [True, False]
