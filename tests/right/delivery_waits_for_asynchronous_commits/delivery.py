"""Commits asynchronously, and polls until the answer is there."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from confluent_kafka import Consumer, KafkaException

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


# The client calls back in the thread that polls: each processor has its own answers.
OWN = threading.local()


def answered(error: Any, _: Sequence[Any]) -> None:
    OWN.answers.append(error)


SETTINGS = {
    **right.SETTINGS,
    "at_least_once": {**right.SETTINGS["at_least_once"], "on_commit": answered},
}


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done, OWN.answers = 0, []
    with closing(consumer):
        for message in right._records(consumer, stop):
            process(message)
            OWN.answers.clear()
            consumer.commit(message=message, asynchronous=True)
            # No record comes while the partitions are paused. A pause outlasts a rebalance, in
            # which none of them may be assigned for a moment: what was paused is resumed.
            paused = consumer.assignment()
            consumer.pause(paused)
            while not OWN.answers:
                consumer.poll(0.05)
            consumer.resume(paused)
            if OWN.answers[-1] is not None:
                raise KafkaException(OWN.answers[-1])
            done += 1
    return done
