"""Counts the records of each transaction, whether it was committed or aborted.

Returns "how many records were processed in transactions that were committed". The records of an
aborted transaction count as often as they are tried: whoever compares the count with the outputs,
or with the offsets, finds losses that are none.
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

CAUGHT_BY = "exactly-once-goes-back-everywhere"

LIMIT = 30.0


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        producer.init_transactions(LIMIT)
        while not stop():
            batch = [each for each in consumer.consume(100, 0.1) if right._is_record(each)]
            if batch:
                right._commit(consumer, producer, transform, batch)
            done += len(batch)
    return done
