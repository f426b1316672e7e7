"""Commits what is done of a batch at its end, whatever ends it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from confluent_kafka import Consumer, TopicPartition

from kafkalab.contracts.delivery import Process, Stop
from kafkalab.tasks import delivery as right
from kafkalab.tasks.delivery import (
    IdempotentSink,
    at_most_once,
    auto_commit,
    exactly_once,
)

__all__ = [
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        while not stop():
            ready: dict[tuple[str | None, int | None], int] = {}
            try:
                for message in consumer.consume(4, 0.1):
                    if right._is_record(message):
                        process(message)
                        ready[message.topic(), message.partition()] = (message.offset() or 0) + 1
                        done += 1
            finally:
                _commit(consumer, ready.items())
    return done


def _commit(consumer: Consumer, ready: Iterable[tuple[tuple[str | None, int | None], int]]) -> None:
    offsets = [TopicPartition(topic or "", number or 0, end) for (topic, number), end in ready]
    if offsets:
        consumer.commit(offsets=offsets, asynchronous=False)
