"""Commits before it processes, and calls it at-least-once."""

from __future__ import annotations

from confluent_kafka import Consumer

from kafkalab.contracts.delivery import Process, Stop
from kafkalab.tasks import delivery as right
from kafkalab.tasks.delivery import IdempotentSink, at_most_once, auto_commit, exactly_once

__all__ = [
    "CAUGHT_BY",
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

CAUGHT_BY = "at-least-once-never-loses"


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    return right.at_most_once(consumer, process, stop)
