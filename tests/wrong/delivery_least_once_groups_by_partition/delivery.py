"""Polls many records and processes them partition by partition."""

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

CAUGHT_BY = "records-keep-the-order-of-polls"
CAUGHT_WITH = ("at_least_once",)

BATCH = 50


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        while not stop():
            batch = [each for each in consumer.consume(BATCH, 0.1) if right._is_record(each)]
            for message in sorted(batch, key=_place):
                process(message)
                consumer.commit(message=message, asynchronous=False)
                done += 1
    return done


def _place(message: Message) -> tuple[str, int, int]:
    return message.topic() or "", message.partition() or 0, message.offset() or 0
