"""Ends as if all were well when another has taken its place."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaException, Producer

from kafkalab.contracts.delivery import Stop, Transform
from kafkalab.tasks import delivery as right
from kafkalab.tasks.delivery import IdempotentSink, at_least_once, at_most_once, auto_commit

__all__ = [
    "CAUGHT_BY",
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

CAUGHT_BY = "exactly-once-ends-when-fenced"


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    try:
        return right.exactly_once(consumer, producer, transform, stop)
    except KafkaException:
        return 0
