"""Waiting: the one place that sleeps returns early, ends in time, and tells what it saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from kafkalab import waiting
from kafkalab.brokers.errors import BrokerDied
from kafkalab.waiting import Expired, guarded_by, wait_until


@dataclass
class Clock:
    """Stands in for the time module: sleeping moves it on at once, and asking a little."""

    now: float = 100.0
    naps: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        self.now += 1e-6
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    stand_in = Clock()
    monkeypatch.setattr(waiting, "time", stand_in)
    return stand_in


def one_after_another(*seen: object) -> Callable[[], object]:
    """A look that sees these values in turn."""
    values = iter(seen)
    return lambda: next(values)


def broker_is_gone() -> None:
    raise BrokerDied("The broker died.", suspect="a test killed it.", remedy="run again.")


def test_a_wait_returns_what_was_seen() -> None:
    """The awaited observation itself comes back, not just the news that it came."""
    look = one_after_another([], [], ["leader 1"])

    seen = wait_until(look, limit=5, what="a leader")

    assert seen == ["leader 1"]


def test_a_wait_ends_by_its_own_condition() -> None:
    """A condition of its own takes the place of truth."""
    look = one_after_another(1, 2, 3, 4)

    seen = wait_until(look, lambda count: count == 3, limit=5, what="three partitions")

    assert seen == 3


def test_what_is_so_already_costs_no_sleep(clock: Clock) -> None:
    """The first look comes before the first sleep."""
    wait_until(lambda: True, limit=5, what="nothing")

    assert clock.naps == []


@pytest.mark.parametrize("limit", [0, -1], ids=["limit 0", "limit below 0"])
def test_a_wait_looks_at_least_once(limit: float) -> None:
    """Even without any time, what is so already is seen."""
    seen = wait_until(lambda: "here", limit=limit, what="what is here")

    assert seen == "here"


def test_a_wait_that_runs_out_tells_what_was_awaited_and_seen_last() -> None:
    """The text names the time, the awaited and the last observation, not an earlier one."""
    look = one_after_another("no leader", "electing", "still electing")

    with pytest.raises(Expired) as expired:
        wait_until(look, lambda seen: seen == "elected", limit=2, interval=1, what="a leader")

    assert str(expired.value) == "waited 2.0 s for a leader; last seen: 'still electing'"


def test_a_wait_that_runs_out_is_a_failed_expectation() -> None:
    """Expired is an AssertionError: the expectation was about Kafka."""
    with pytest.raises(AssertionError):
        wait_until(lambda: False, limit=0, what="what never comes")


@pytest.mark.parametrize(
    ("limit", "interval"),
    [(1.0, 0.01), (1.0, 0.3), (0.0, 1.0), (0.1, 10.0)],
    ids=["short interval", "interval that does not divide", "limit 0", "interval beyond limit"],
)
def test_a_wait_does_not_sleep_past_its_limit(clock: Clock, limit: float, interval: float) -> None:
    """A limit is a limit, whatever the interval between two looks."""
    began = clock.now

    with pytest.raises(Expired):
        wait_until(lambda: False, limit=limit, interval=interval, what="what never comes")

    assert clock.now - began == pytest.approx(limit, abs=0.02)


def test_a_slow_look_is_not_repeated_after_the_limit(clock: Clock) -> None:
    """Time that a look takes counts: here one look uses up the whole limit."""
    looks = []

    def slow_look() -> bool:
        looks.append("a look")
        clock.now += 30
        return False

    with pytest.raises(Expired):
        wait_until(slow_look, limit=5, what="what never comes")

    assert looks == ["a look"]


def test_an_exception_of_the_look_ends_the_wait() -> None:
    """A look that fails is not tried again: its exception comes out."""

    def look() -> bool:
        raise KeyError("partition 7")

    with pytest.raises(KeyError, match="partition 7"):
        wait_until(look, limit=5, what="a partition")


def test_a_guard_ends_the_wait_early(clock: Clock) -> None:
    """A wait on a broker that is gone ends at once, with the guard's own error."""
    with pytest.raises(BrokerDied), guarded_by(broker_is_gone):
        wait_until(lambda: False, limit=60, what="an answer")

    assert clock.naps == [], "nothing was waited for"


def test_a_guard_is_asked_before_every_look() -> None:
    """A broker that goes in the middle of a wait ends it, too."""
    calls: list[str] = []
    look = one_after_another(False, False, True)

    def logged_look() -> object:
        calls.append("look")
        return look()

    with guarded_by(lambda: calls.append("guard")):
        wait_until(logged_look, limit=5, what="the third look")

    assert calls == ["guard", "look"] * 3


def test_a_guard_is_gone_after_its_block() -> None:
    """A wait after the block is not guarded any more."""
    with guarded_by(broker_is_gone):
        pass

    assert wait_until(lambda: True, limit=0, what="nothing")


def test_a_guard_is_gone_after_an_exception_in_its_block() -> None:
    """A failing test does not leave its broker's guard to the next test."""
    with pytest.raises(ValueError, match="the test failed"), guarded_by(broker_is_gone):
        raise ValueError("the test failed")

    assert wait_until(lambda: True, limit=0, what="nothing")


def test_an_inner_guard_leaves_the_outer_one() -> None:
    """Two guards, even two alike, are asked each for its own block only."""
    asked: list[str] = []

    def guard() -> None:
        asked.append("guard")

    with guarded_by(guard):
        with guarded_by(guard):
            wait_until(lambda: True, limit=0, what="nothing")
        wait_until(lambda: True, limit=0, what="nothing")

    assert asked == ["guard"] * 3, "twice in the inner block, once in the outer"
