"""Uses the consumer in a `with`, calls by keyword, and one record a transaction."""

from __future__ import annotations

from contextlib import suppress

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from kafkalab.contracts.delivery import Process, Stop, Transform
from kafkalab.tasks import delivery as right
from kafkalab.tasks.delivery import (
    IdempotentSink,
    at_least_once,
    auto_commit,
)

__all__ = [
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]


def at_most_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with consumer:
        while not stop():
            message = consumer.poll(timeout=0.2)
            if message is not None and right._is_record(message):
                consumer.commit(message=message, asynchronous=False)
                process(message)
                done += 1
    return done


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    done = 0
    with consumer:
        producer.init_transactions(30)
        while not stop():
            message = consumer.poll(timeout=0.2)
            if message is not None and right._is_record(message):
                done += _one(consumer, producer, transform, message)
    return done


def _one(consumer: Consumer, producer: Producer, transform: Transform, message: Message) -> bool:
    place = message.topic() or "", message.partition() or 0
    here = message.offset() or 0
    producer.begin_transaction()
    try:
        outputs = list(transform(message))
    except BaseException:
        with suppress(KafkaException):
            producer.abort_transaction(30)
        raise
    try:
        for topic, key, value in outputs:
            producer.produce(topic, key=key, value=value)
        after = [TopicPartition(*place, here + 1)]
        producer.send_offsets_to_transaction(after, consumer.consumer_group_metadata(), 30)
        producer.commit_transaction(30)
    except KafkaException as error:
        if not error.args[0].txn_requires_abort() and error.args[0].name() != "_STATE":
            raise
        producer.abort_transaction(30)
        consumer.seek(TopicPartition(*place, here))
        return False
    return True
