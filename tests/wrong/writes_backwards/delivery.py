"""Writes what a transaction has last first."""

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

CAUGHT_BY = "exactly-once-outlives-crashes"


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    return right.exactly_once(consumer, cast(Producer, _Backwards(producer)), transform, stop)


class _Backwards:
    """A producer that holds back what it is given until the transaction ends."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._held: list[tuple[Any, ...]] = []

    def produce(self, *output: Any) -> None:
        self._held.append(output)

    def send_offsets_to_transaction(self, *offsets: Any) -> None:
        while self._held:
            self._producer.produce(*self._held.pop())
        self._producer.send_offsets_to_transaction(*offsets)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)
