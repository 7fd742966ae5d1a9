from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from atypia.processors import MOST_WORKERS, one_blas_thread, shared, usable


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@given(count=st.integers(1, 300))
def test_all_are_shared_out_and_no_more(count):
    share = shared(count)
    assert 1 <= share.workers <= MOST_WORKERS
    assert count - share.threads < share.workers * share.threads <= count


def test_unless_told_otherwise_all_processors_are_shared_out():
    assert shared(None) == shared(usable())


def test_linear_algebra_keeps_to_one_thread_and_no_longer():
    with threadpool_limits(2, user_api="blas"):
        with one_blas_thread():
            with one_blas_thread():
                assert blas_threads() == {1}
            assert blas_threads() == {1}
        assert blas_threads() == {2}


def test_overlapping_bounds_hold_to_the_end_and_are_lifted_by_the_main_thread():
    with threadpool_limits(2, user_api="blas"):
        entered, leave = threading.Event(), threading.Event()

        def other() -> None:
            with one_blas_thread():
                entered.set()
                leave.wait(20)

        with one_blas_thread():
            thread = threading.Thread(target=other)
            thread.start()
            assert entered.wait(20)
        assert blas_threads() == {1}, "the other still computes"
        leave.set()
        thread.join()
        with one_blas_thread():
            assert blas_threads() == {1}
        assert blas_threads() == {2}


def test_an_error_inside_lifts_the_bound():
    with threadpool_limits(2, user_api="blas"):
        with pytest.raises(ZeroDivisionError), one_blas_thread():
            raise ZeroDivisionError
        assert blas_threads() == {2}
