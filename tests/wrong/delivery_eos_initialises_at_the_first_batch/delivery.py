"""Initialises the transactions when the first records have come.

"Its transactions are not initialised yet: do that first, before you read anything." Until a record
comes, a predecessor with the same `transactional.id` is not fenced, and its open transaction stays
open: it can still commit after this processor has read where to start, and then outputs come
twice.
"""

from __future__ import annotations

from contextlib import closing

from confluent_kafka import Consumer, Producer

from kafkalab.contracts.delivery import Stop, Transform
from kafkalab.tasks import delivery as right
from kafkalab.tasks.delivery import IdempotentSink, at_least_once, at_most_once, auto_commit

__all__ = [
    "CAUGHT_BY",
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

CAUGHT_BY = "exactly-once-initialises-first"

LIMIT = 30.0


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    done = 0
    ready = False
    with closing(consumer):
        while not stop():
            batch = [each for each in consumer.consume(100, 0.1) if right._is_record(each)]
            if batch and not ready:
                producer.init_transactions(LIMIT)
                ready = True
            if batch and right._commit(consumer, producer, transform, batch):
                done += len(batch)
    return done
