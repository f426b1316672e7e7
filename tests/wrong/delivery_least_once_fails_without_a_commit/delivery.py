"""Commits ten records at a time, and the rest only after a stop.

"When the processor has stopped, or the processing of a record failed, all that was processed is
committed." After a failure up to nine processed records are not committed, and come again with
each new start, until the bad record is gone: their effects multiply.
"""

from __future__ import annotations

from contextlib import closing

from confluent_kafka import Consumer, TopicPartition

from kafkalab.contracts import Place
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

CAUGHT_BY = "a-failing-record-is-told"
CAUGHT_WITH = ("at-least-once",)

EVERY = 10


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    after: dict[Place, int] = {}
    with closing(consumer):
        for message in right._records(consumer, stop):
            process(message)
            done += 1
            after[message.topic() or "", message.partition() or 0] = (message.offset() or 0) + 1
            if done % EVERY == 0:
                _commit(consumer, after)
        _commit(consumer, after)
    return done


def _commit(consumer: Consumer, after: dict[Place, int]) -> None:
    offsets = [TopicPartition(*place, offset) for place, offset in after.items()]
    after.clear()
    if offsets:
        consumer.commit(offsets=offsets, asynchronous=False)
