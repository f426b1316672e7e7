"""Rewinds, after an abort, to what the group has committed, if it has.

"Then its records are read again and tried again, until they succeed. An abort [...] does not move
the consumer back." A partition of which nothing is committed yet stays where it is: if the first
transaction of a new group is aborted, its records are skipped.
"""

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

LIMIT = 30.0


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        producer.init_transactions(LIMIT)
        while not stop():
            batch = [each for each in consumer.consume(100, 0.1) if right._is_record(each)]
            if batch and _commit(consumer, producer, transform, batch):
                done += len(batch)
    return done


def _commit(
    consumer: Consumer, producer: Producer, transform: Transform, batch: Sequence[Message]
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
        for kept in consumer.committed(consumer.assignment(), LIMIT):
            if kept.offset >= 0:
                consumer.seek(kept)
        return False
    return True
