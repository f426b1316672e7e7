"""Closes the consumer at the end of the function, where an error never comes."""

from __future__ import annotations

from confluent_kafka import Consumer

from kafkalab.contracts.delivery import Process, Stop
from kafkalab.tasks import delivery as right
from kafkalab.tasks.delivery import (
    IdempotentSink,
    at_most_once,
    auto_commit,
    exactly_once,
)

__all__ = [
    "CAUGHT_BY",
    "CAUGHT_WITH",
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

CAUGHT_BY = "a-processor-closes-its-consumer"
CAUGHT_WITH = ("at_least_once",)


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    for message in right._records(consumer, stop):
        process(message)
        consumer.commit(message=message, asynchronous=False)
        done += 1
    consumer.close()
    return done
