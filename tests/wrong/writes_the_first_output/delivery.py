"""Writes the first output of a record, and no other."""

from __future__ import annotations

from itertools import islice

from confluent_kafka import Consumer, Producer

from kafkalab.contracts.delivery import Stop, Transform
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
    return right.exactly_once(
        consumer, producer, lambda message: islice(transform(message), 1), stop
    )
