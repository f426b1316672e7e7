"""Aborts a transaction and goes on behind it."""

from __future__ import annotations

from typing import Any, cast

from confluent_kafka import Consumer, Producer

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

CAUGHT_BY = "exactly-once-rewinds-after-an-abort"


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    return right.exactly_once(cast(Consumer, _Onward(consumer)), producer, transform, stop)


class _Onward:
    """A consumer that cannot go back."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def seek(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)
