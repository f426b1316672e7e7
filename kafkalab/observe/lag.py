"""Lag while it changes: sampled by an observer that is no member of the group."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kafkalab.contracts import Place
from kafkalab.observe.records import watermarks
from kafkalab.observe.threads import repeated
from kafkalab.observe.topics import ADMIN_LIMIT

if TYPE_CHECKING:
    from confluent_kafka import Consumer

# A sample asks each partition's leader and the coordinator: a few milliseconds.
EVERY = 0.02


@dataclass(frozen=True)
class Sample:
    """The lag of each partition at one moment."""

    time: float
    """seconds on the monotonic clock"""
    lag: dict[Place, int | None]
    """in records; None where nothing is committed"""


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
        observer: a consumer with the group's name that is not subscribed. It
            belongs to the sampling until the block ends.
        places: the partitions to look at.

    Yields:
        The samples, in order; more are added meanwhile.

    Raises:
        KafkaException: a sample could not be taken; told when the block ends.
    """
    samples: list[Sample] = []

    def sample() -> None:
        samples.append(Sample(time.monotonic(), lag_of(observer, places)))

    with repeated(sample, every=EVERY, what="the sampling"):
        yield samples
