"""Commits the offsets in the transaction, and once more with the consumer."""

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


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        producer.init_transactions(30)
        while not stop():
            batch = [each for each in consumer.consume(100, 0.1) if right._is_record(each)]
            if batch and right._commit(consumer, producer, transform, batch):
                done += len(batch)
                consumer.commit(offsets=right._next_offsets(batch), asynchronous=False)
    return done
