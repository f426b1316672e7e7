"""Polls for five seconds, so that a stop is noticed five seconds late."""

from __future__ import annotations

from contextlib import closing

from confluent_kafka import Consumer

from kafkalab.contracts.delivery import Process, Stop
from kafkalab.tasks import delivery as right
from kafkalab.tasks.delivery import IdempotentSink, at_most_once, auto_commit, exactly_once

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
CAUGHT_WITH = ("at_least_once",)


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        while not stop():
            message = consumer.poll(5.0)
            if message is not None and right._is_record(message):
                process(message)
                consumer.commit(message=message, asynchronous=False)
                done += 1
    return done
