"""Work beside a test: it goes on, it ends, and what it raises is told."""

from __future__ import annotations

import threading

import pytest

from kafkalab.observe.threads import InThread, repeated
from kafkalab.waiting import wait_until


class Broken(Exception):
    """What goes wrong in these tests."""


def fail() -> None:
    raise Broken


def test_a_thread_keeps_its_error() -> None:
    """What a thread raised is kept for whoever asks; who returned has none."""
    assert isinstance(InThread(fail).error(), Broken)
    assert InThread(lambda: None).error() is None


def test_nobody_waits_for_a_thread_that_has_ended() -> None:
    """What it raised is told at once, and that it ended without the sign that was waited for."""
    sign = threading.Event()

    InThread(sign.set).wait_until(sign.is_set, limit=10, what="a sign")
    with pytest.raises(Broken):
        InThread(fail).wait_until(lambda: False, limit=1000, what="nothing")
    with pytest.raises(AssertionError, match="it ended, and there was no sign of nothing"):
        InThread(lambda: None).wait_until(lambda: False, limit=1000, what="nothing")


def test_an_action_is_repeated_while_the_block_runs() -> None:
    """It goes on during the block, and its thread is gone after it."""
    before = threading.active_count()
    times: list[int] = []

    with repeated(lambda: times.append(1), every=0.001, what="counting"):
        wait_until(lambda: len(times) > 3, limit=10, what="some times")

    assert len(times) > 3
    assert threading.active_count() == before


def test_what_a_repeated_action_raises_is_told() -> None:
    """An action that fails does not fail in silence: the block's end tells it."""
    with pytest.raises(Broken), repeated(fail, every=0.001, what="failing"):
        pass


def test_the_blocks_own_error_comes_first() -> None:
    """Where the block fails too, that is what is told."""
    with pytest.raises(ZeroDivisionError), repeated(fail, every=0.001, what="failing"):
        _ = 1 / 0
