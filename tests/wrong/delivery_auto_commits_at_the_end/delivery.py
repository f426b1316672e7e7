"""Commits the last record itself after a stop, where the client should."""

from __future__ import annotations

from contextlib import closing

from confluent_kafka import Consumer

from kafkalab.contracts.delivery import Process, Stop
from kafkalab.tasks import delivery as right
from kafkalab.tasks.delivery import IdempotentSink, at_least_once, at_most_once, exactly_once

__all__ = [
    "CAUGHT_BY",
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

CAUGHT_BY = "auto-commit-is-left-to-the-client"


def auto_commit(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    last = None
    with closing(consumer):
        for message in right._records(consumer, stop):
            process(message)
            last = message
            done += 1
        if last is not None:
            consumer.commit(message=last, asynchronous=False)
    return done
