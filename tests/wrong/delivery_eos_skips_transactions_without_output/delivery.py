"""Makes no transaction if the records have no output."""

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

CAUGHT_BY = "exactly-once-commits-without-output"

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
    outputs = [output for message in batch for output in transform(message)]
    if not outputs:
        return True
    producer.begin_transaction()
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
        right._rewind(consumer, batch)
        return False
    return True
