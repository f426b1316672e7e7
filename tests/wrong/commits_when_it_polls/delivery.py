"""Commits two records when it has polled them, and processes them then."""

from __future__ import annotations

from contextlib import closing

from confluent_kafka import Consumer

from kafkalab.contracts.delivery import Process, Stop
from kafkalab.tasks.delivery import IdempotentSink, at_most_once, auto_commit, exactly_once

__all__ = [
    "CAUGHT_BY",
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

CAUGHT_BY = "delivery-in-one-table"


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        while not stop():
            batch = [each for each in consumer.consume(2, 0.1) if each.error() is None]
            if batch:
                consumer.commit(asynchronous=False)
            for message in batch:
                process(message)
            done += len(batch)
    return done
