"""Writes in a transaction, and commits the offsets beside it."""

from __future__ import annotations

from contextlib import closing

from confluent_kafka import Consumer, Producer

from kafkalab.contracts.delivery import Stop, Transform
from kafkalab.tasks.delivery import IdempotentSink, at_least_once, at_most_once, auto_commit

__all__ = [
    "CAUGHT_BY",
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

CAUGHT_BY = "exactly-once-outlives-crashes"


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        producer.init_transactions(30)
        while not stop():
            batch = [each for each in consumer.consume(100, 0.1) if each.error() is None]
            if not batch:
                continue
            producer.begin_transaction()
            for message in batch:
                for output in transform(message):
                    producer.produce(output.topic, output.value, output.key)
            producer.commit_transaction(30)
            consumer.commit(asynchronous=False)
            done += len(batch)
    return done
