"""Asks for the group's metadata once, before it reads.

"The transaction gets the offsets after its records, with the consumer's group metadata." Before it
has joined, a consumer that subscribed has neither generation nor member id; the broker does not
check such offsets. A processor that was replaced commits all the same, and its outputs come twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

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

CAUGHT_BY = "too-slow-is-replaced"

LIMIT = 30.0


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        # Before all else: a slow init_transactions would give the consumer the time to join.
        group = consumer.consumer_group_metadata()
        producer.init_transactions(LIMIT)
        while not stop():
            batch = [each for each in consumer.consume(100, 0.1) if right._is_record(each)]
            if batch and _commit(consumer, group, producer, transform, batch):
                done += len(batch)
    return done


def _commit(
    consumer: Consumer,
    group: Any,
    producer: Producer,
    transform: Transform,
    batch: Sequence[Message],
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
        producer.send_offsets_to_transaction(right._next_offsets(batch), group, LIMIT)
        producer.commit_transaction(LIMIT)
    except KafkaException as error:
        refused = error.args[0]
        if not refused.txn_requires_abort() and refused.code() != KafkaError._STATE:
            raise
        producer.abort_transaction(LIMIT)
        right._rewind(consumer, batch)
        return False
    return True
