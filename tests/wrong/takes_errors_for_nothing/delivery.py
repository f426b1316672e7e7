"""Takes each error that the client hands over for nothing to do."""

from __future__ import annotations

from contextlib import closing

from confluent_kafka import Consumer

from kafkalab.contracts.delivery import Process, Stop
from kafkalab.tasks.delivery import (
    IdempotentSink,
    at_least_once,
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

CAUGHT_BY = "a-client-error-ends-it"
CAUGHT_WITH = ("at_most_once",)


def at_most_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        while not stop():
            message = consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            consumer.commit(message=message, asynchronous=False)
            process(message)
            done += 1
    return done
