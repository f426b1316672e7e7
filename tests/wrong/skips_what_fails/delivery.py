"""Goes on when the processing of a record fails, and commits over it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from confluent_kafka import Consumer, Message, Producer

from kafkalab.contracts.delivery import Output, Process, Stop, Transform
from kafkalab.tasks import delivery as right
from kafkalab.tasks.delivery import IdempotentSink, auto_commit

__all__ = [
    "CAUGHT_BY",
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

CAUGHT_BY = "a-failing-record-is-told"


def at_most_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    return right.at_most_once(consumer, _silenced(process), stop)


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    return right.at_least_once(consumer, _silenced(process), stop)


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    def silenced(message: Message) -> Iterable[Output]:
        with contextlib.suppress(Exception):
            yield from transform(message)

    return right.exactly_once(consumer, producer, silenced, stop)


def _silenced(process: Process) -> Process:
    def silenced(message: Message) -> None:
        with contextlib.suppress(Exception):
            process(message)

    return silenced
