"""Looks whether to stop only when nothing comes."""

from __future__ import annotations

from contextlib import closing

from confluent_kafka import Consumer

from kafkalab.contracts.delivery import Process, Stop
from kafkalab.tasks import delivery as right
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

CAUGHT_BY = "a-stop-drops-nothing"
CAUGHT_WITH = ("at_most_once",)


def at_most_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        while True:
            message = consumer.poll(1.0)
            if message is None:
                if stop():
                    return done
            elif right._is_record(message):
                consumer.commit(message=message, asynchronous=False)
                process(message)
                done += 1
