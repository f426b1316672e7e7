"""Takes a refused commit for a hiccup, and goes on with the records that it still has."""

from __future__ import annotations

import contextlib
from contextlib import closing

from confluent_kafka import Consumer, KafkaException

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

CAUGHT_BY = "too-slow-is-replaced"


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        while not stop():
            for message in consumer.consume(10, 0.1):
                if message.error() is None:
                    process(message)
                    with contextlib.suppress(KafkaException):
                        consumer.commit(message=message, asynchronous=False)
                    done += 1
    return done
