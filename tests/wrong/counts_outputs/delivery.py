"""Returns how many outputs it has written."""

from __future__ import annotations

from collections.abc import Iterator

from confluent_kafka import Consumer, Message, Producer

from kafkalab.contracts.delivery import Output, Stop, Transform
from kafkalab.tasks import delivery as right
from kafkalab.tasks.delivery import (
    IdempotentSink,
    at_least_once,
    at_most_once,
    auto_commit,
)

__all__ = [
    "CAUGHT_BY",
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

CAUGHT_BY = "exactly-once-writes-every-output"


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    written = 0

    def counted(message: Message) -> Iterator[Output]:
        nonlocal written
        for output in transform(message):
            written += 1
            yield output

    right.exactly_once(consumer, producer, counted, stop)
    return written
