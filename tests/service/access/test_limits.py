"""Token buckets, and how many at once."""

from __future__ import annotations

import asyncio

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


def test_places_are_held_until_they_are_left():
    async def come_and_go():
        places = AtOnce(2, 3)
        assert [await places.enter("a") for _ in range(3)] == [True, True, False]
        assert [await places.enter(key) for key in "bc"] == [True, False]
        places.leave("a")
        assert await places.enter("c")

    asyncio.run(come_and_go())


def test_one_more_waits_for_its_turn_and_not_for_ever():
    async def wait():
        places, came = AtOnce(1, 2, patience=5.0), []

        async def come(key, number):
            if await places.enter(key):
                came.append(number)

        assert await places.enter("a")
        waiting = [asyncio.create_task(come("a", number)) for number in range(2)]
        await asyncio.sleep(0)
        assert not await places.enter("a"), "no more wait than may be under way"
        assert await asyncio.wait_for(places.enter("b"), 1.0) is True, "another's place is free"
        places.leave("b")
        for number in range(2):
            places.leave("a")
            await asyncio.wait_for(waiting[number], 1.0)
            assert came == list(range(number + 1))
        gone = asyncio.create_task(come("a", 9))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        places.leave("a")
        assert await places.enter("a"), "who went away holds no place"
        places._patience = 0.01
        assert not await places.enter("a")
        places.leave("a")
        assert not places._under_way
        assert not places._waiting

    asyncio.run(wait())


def test_one_customer_of_ipv6_is_one():
    assert neighbourhood("2001:db8:1:2::1") == neighbourhood("2001:db8:1:2:ffff::9")
    assert neighbourhood("::ffff:192.0.2.1") == "192.0.2.1"
    assert neighbourhood("testclient") == "unknown"
