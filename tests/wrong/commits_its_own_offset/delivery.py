"""Commits the offset of the record that was processed, not of the next."""

from __future__ import annotations

from contextlib import closing

from confluent_kafka import Consumer, TopicPartition

from kafkalab.contracts.delivery import Process, Stop
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


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        while not stop():
            message = consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            process(message)
            own = TopicPartition(
                message.topic() or "", message.partition() or 0, message.offset() or 0
            )
            consumer.commit(offsets=[own], asynchronous=False)
            done += 1
    return done
