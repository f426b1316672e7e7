"""Commits, for ten records at a time, the last of them."""

from __future__ import annotations

from contextlib import closing

from confluent_kafka import Consumer, Message

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

CAUGHT_BY = "a-processor-stops-and-leaves"
CAUGHT_WITH = ("at_least_once",)

EVERY = 10


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    last: Message | None = None
    with closing(consumer):
        try:
            for message in right._records(consumer, stop):
                process(message)
                done += 1
                last = message
                if done % EVERY == 0:
                    last = None
                    consumer.commit(message=message, asynchronous=False)
        finally:
            if last is not None:
                consumer.commit(message=last, asynchronous=False)
    return done
