"""Token buckets, and how many at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from atypia.service.access.limits import AtOnce, Buckets, neighbourhood


@given(st.floats(1, 1000), st.lists(st.floats(0, 30), max_size=60))
def test_never_more_than_the_burst_and_what_came_back(per_minute, pauses):
    clock = [0.0]
    buckets = Buckets(per_minute, clock=lambda: clock[0])
    taken = 0
    for pause in pauses:
        clock[0] += pause
        taken += buckets.take("a") == 0
    assert taken <= per_minute + clock[0] * per_minute / 60 + 1e-6


def test_one_who_waits_as_told_may_go_on():
    clock = [0.0]
    buckets = Buckets(6, clock=lambda: clock[0])
    assert [buckets.take("a") for _ in range(6)] == [0] * 6
    wait = buckets.take("a")
    assert 0 < wait <= 10
    assert buckets.take("b") == 0
    clock[0] += wait + 1e-6
    assert buckets.take("a") == 0


def test_memory_does_not_grow_with_addresses():
    buckets = Buckets(60, room=5)
    for number in range(100):
        buckets.take(str(number))
    assert len(buckets._left) == 5


def test_so_many_at_once():
    places = AtOnce(2, 3)
    assert places.enter("a")
    assert places.enter("a")
    assert not places.enter("a")
    assert places.enter("b")
    assert not places.enter("c")
    places.leave("a")
    assert places.enter("c")


def test_one_customer_of_ipv6_is_one():
    assert neighbourhood("2001:db8:1:2::1") == neighbourhood("2001:db8:1:2:ffff::9")
    assert neighbourhood("::ffff:192.0.2.1") == "192.0.2.1"
    assert neighbourhood("testclient") == "unknown"
