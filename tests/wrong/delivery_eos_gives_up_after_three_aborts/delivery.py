"""Raises the error when a transaction was aborted for the third time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

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

CAUGHT_BY = "exactly-once-rewinds-after-an-abort"

ATTEMPTS = 3
LIMIT = 30.0


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    done = aborted = 0
    with closing(consumer):
        producer.init_transactions(LIMIT)
        while not stop():
            batch = [each for each in consumer.consume(100, 0.1) if right._is_record(each)]
            if not batch:
                continue
            if _commit(consumer, producer, transform, batch, last=aborted + 1 == ATTEMPTS):
                done += len(batch)
                aborted = 0
            else:
                aborted += 1
    return done


def _commit(
    consumer: Consumer,
    producer: Producer,
    transform: Transform,
    batch: Sequence[Message],
    *,
    last: bool,
) -> bool:
    producer.begin_transaction()
    try:
        outputs = [output for message in batch for output in transform(message)]
    except BaseException:
        producer.abort_transaction(LIMIT)
        raise
    try:
        for output in outputs:
            producer.produce(output.topic, output.value, output.key)
        producer.send_offsets_to_transaction(
            right._next_offsets(batch), consumer.consumer_group_metadata(), LIMIT
        )
        producer.commit_transaction(LIMIT)
    except KafkaException as error:
        refused = error.args[0]
        if not refused.txn_requires_abort() and refused.code() != KafkaError._STATE:
            raise
        producer.abort_transaction(LIMIT)
        if last:
            raise
        right._rewind(consumer, batch)
        return False
    return True
