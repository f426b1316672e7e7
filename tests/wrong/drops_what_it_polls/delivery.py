"""Polls to stay a member, and drops the record that this brings."""

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

CAUGHT_BY = "at-least-once-outlives-a-rebalance"


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        while not stop():
            message = consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            process(message)
            consumer.poll(0)
            consumer.commit(asynchronous=False)
            done += 1
    return done
