"""Lag while it changes: sampled by an observer that is no member of the group."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from kafkalab.contracts import Place
from kafkalab.observe.records import watermarks
from kafkalab.observe.threads import repeated
from kafkalab.observe.topics import ADMIN_LIMIT
from kafkalab.waiting import wait_until

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Producer

# A sample asks each partition's leader and the coordinator: a few milliseconds.
EVERY = 0.02

# Records a second for each partition.
RATE = 200

# A group that follows such a stream commits often; its lag is what comes between two commits.
COMMITS_OFTEN = {"enable.auto.commit": True, "auto.commit.interval.ms": 50}
CALM = 20

# Seconds for a sample, or for a group that catches up; both take less than one. The rest is for
# a machine under heavy load.
LAG_LIMIT = 30.0


@dataclass(frozen=True)
class Sample:
    """The lag of each partition at one point in time."""

    time: float
    """seconds on the monotonic clock"""
    lag: dict[Place, int | None]
    """in records; None if nothing is committed"""


def lag_of(observer: Consumer, places: Sequence[Place]) -> dict[Place, int | None]:
    """End offset minus committed offset of the observer's group; None without a commit.

    Offsets, not records: transaction markers and compacted records count too.
    """
    from confluent_kafka import TopicPartition

    asked = [TopicPartition(*place) for place in places]
    committed = observer.committed(asked, timeout=ADMIN_LIMIT)
    return {
        (each.topic, each.partition): (
            watermarks(observer, each.topic, each.partition)[1] - each.offset
            if each.offset >= 0
            else None
        )
        for each in committed
    }


@contextmanager
def sampled_lag(observer: Consumer, places: Sequence[Place]) -> Iterator[list[Sample]]:
    """Sample a group's lag in the background, as long as the block runs.

    Args:
        observer: a consumer with the group's name that is not subscribed. Nothing else
            may use it until the block ends.
        places: the partitions to look at.

    Yields:
        The samples, in order; the list grows while the block runs.

    Raises:
        KafkaException: a sample could not be taken; raised when the block ends.
    """
    samples: list[Sample] = []

    def sample() -> None:
        samples.append(Sample(time.monotonic(), lag_of(observer, places)))

    with repeated(sample, every=EVERY, what="the sampling"):
        yield samples


@contextmanager
def flowing(producer: Producer, topic: str, partitions: int) -> Iterator[list[int | None]]:
    """Write RATE records a second to each partition in the background, while the block runs.

    Yields:
        The partition of each record that has arrived; the list grows while the block runs.
    """
    arrived: list[int | None] = []

    def write() -> None:
        for partition in range(partitions):
            producer.produce(
                topic,
                b"x",
                partition=partition,
                on_delivery=lambda _, message: arrived.append(message.partition()),
            )
        producer.poll(0)

    with repeated(write, every=1 / RATE, what="the stream"):
        yield arrived


def wait_for_a_sample(samples: Sequence[Sample]) -> None:
    """Wait for a sample that begins after this call.

    Raises:
        Expired: there was none within LAG_LIMIT.
    """
    # The next one may have begun before this call.
    enough = len(samples) + 2
    wait_until(
        lambda: len(samples),
        lambda count: count >= enough,
        limit=LAG_LIMIT,
        what="a sample of the lag",
    )


def wait_until_calm(samples: Sequence[Sample]) -> None:
    """Wait until a new sample shows a lag below CALM in each partition.

    Raises:
        Expired: it did not within LAG_LIMIT.
    """
    wait_for_a_sample(samples)
    wait_until(
        lambda: samples[-1].lag.values(),
        lambda lags: all(lag is not None and lag < CALM for lag in lags),
        limit=LAG_LIMIT,
        what=f"the lag to be below {CALM}",
    )


def lag_lines(samples: Sequence[Sample]) -> dict[str, list[tuple[float, float | None]]]:
    """The lag of each partition over time, as lines of a picture."""
    return {
        f"partition {place[1]}": [(each.time, each.lag[place]) for each in samples]
        for place in samples[0].lag
    }


def highest_lag(samples: Sequence[Sample], place: Place, since: float) -> int:
    """The highest lag of a partition after `since`, a time on the monotonic clock."""
    return max(each.lag[place] or 0 for each in samples if each.time >= since)


def longest_pause(times: Sequence[float], since: float) -> float:
    """The longest pause between two of these times, after `since`; in seconds."""
    # The first pause may have begun before `since`.
    return max(later - max(earlier, since) for earlier, later in pairwise(times))
