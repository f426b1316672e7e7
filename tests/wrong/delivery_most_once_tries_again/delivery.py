"""Tries a record whose processing fails up to three times."""

from __future__ import annotations

from contextlib import closing, suppress

from confluent_kafka import Consumer, Message

from kafkalab.contracts.delivery import Process, Stop
from kafkalab.tasks import delivery as right
from kafkalab.tasks.delivery import IdempotentSink, at_least_once, auto_commit, exactly_once

__all__ = [
    "CAUGHT_BY",
    "CAUGHT_WITH",
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

CAUGHT_BY = "a-failing-record-is-told"
CAUGHT_WITH = ("at-most-once",)

ATTEMPTS = 3


def at_most_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        for message in right._records(consumer, stop):
            consumer.commit(message=message, asynchronous=False)
            _attempt(process, message)
            done += 1
    return done


def _attempt(process: Process, message: Message) -> None:
    for _ in range(ATTEMPTS - 1):
        with suppress(Exception):
            process(message)
            return
    process(message)
