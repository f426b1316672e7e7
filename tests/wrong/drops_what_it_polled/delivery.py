"""Looks whether to stop when it has polled, and drops the record."""

from __future__ import annotations

from contextlib import closing

from confluent_kafka import Consumer

from kafkalab.contracts.delivery import Process, Stop
from kafkalab.tasks import delivery as right
from kafkalab.tasks.delivery import (
    IdempotentSink,
    at_least_once,
    at_most_once,
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

CAUGHT_BY = "a-stop-drops-nothing"
CAUGHT_WITH = ("auto_commit",)


def auto_commit(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        while True:
            message = consumer.poll(0.1)
            if stop():
                return done
            if message is not None and right._is_record(message):
                process(message)
                done += 1
