"""Stores the offset of what is done, for the client's own commit."""

from __future__ import annotations

from contextlib import closing

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
    "SETTINGS",
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]


SETTINGS = {
    **right.SETTINGS,
    "at_least_once": {"enable.auto.commit": True, "enable.auto.offset.store": False},
}


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        for message in right._records(consumer, stop):
            process(message)
            consumer.store_offsets(message=message)
            done += 1
    return done
