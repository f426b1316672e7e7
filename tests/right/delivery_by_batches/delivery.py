"""All processors read by consume(), in batches, and at-least-once commits once for each batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing, suppress

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from kafkalab.contracts import Place
from kafkalab.contracts.delivery import Output, Process, Stop, Transform
from kafkalab.tasks.delivery import IdempotentSink

__all__ = [
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

BATCH = 20
POLL = 0.1
LIMIT = 30.0


def at_most_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        while not stop():
            for message in consumer.consume(num_messages=BATCH, timeout=POLL):
                if is_record(message):
                    consumer.commit(message=message, asynchronous=False)
                    process(message)
                    done += 1
    return done


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        while not stop():
            after: dict[Place, int] = {}
            try:
                for message in consumer.consume(num_messages=BATCH, timeout=POLL):
                    if is_record(message):
                        process(message)
                        after[place_of(message)] = (message.offset() or 0) + 1
                        done += 1
            except BaseException:
                with suppress(KafkaException):
                    commit(consumer, after)
                raise
            commit(consumer, after)
    return done


def commit(consumer: Consumer, after: dict[Place, int]) -> None:
    if after:
        offsets = [TopicPartition(*place, offset) for place, offset in after.items()]
        consumer.commit(offsets=offsets, asynchronous=False)


def auto_commit(consumer: Consumer, process: Process, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        while not stop():
            for message in consumer.consume(num_messages=1, timeout=POLL):
                if is_record(message):
                    process(message)
                    done += 1
    return done


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        producer.init_transactions(LIMIT)
        while not stop():
            batch = consumer.consume(num_messages=BATCH, timeout=POLL)
            records = [message for message in batch if is_record(message)]
            if records:
                done += in_transaction(consumer, producer, transform, records)
    return done


def in_transaction(
    consumer: Consumer, producer: Producer, transform: Transform, records: Sequence[Message]
) -> int:
    """Return how many records were committed: all of them, or none."""
    after = {place_of(each): (each.offset() or 0) + 1 for each in records}
    producer.begin_transaction()
    try:
        outputs = [output for message in records for output in transform(message)]
    except BaseException:
        producer.abort_transaction(LIMIT)
        raise
    try:
        write(producer, outputs)
        producer.send_offsets_to_transaction(
            [TopicPartition(*place, offset) for place, offset in after.items()],
            consumer.consumer_group_metadata(),
            LIMIT,
        )
        producer.commit_transaction(LIMIT)
    except KafkaException as error:
        reason = error.args[0]
        if not (reason.txn_requires_abort() or reason.code() == KafkaError._STATE):
            raise
        producer.abort_transaction(LIMIT)
        before = {place_of(each): each.offset() or 0 for each in reversed(records)}
        for place, offset in before.items():
            consumer.seek(TopicPartition(*place, offset))
        return 0
    return len(records)


def write(producer: Producer, outputs: Iterable[Output]) -> None:
    for topic, key, value in outputs:
        while True:
            try:
                producer.produce(topic, key=key, value=value)
                break
            except BufferError:
                producer.poll(POLL)


def place_of(message: Message) -> Place:
    return message.topic() or "", message.partition() or 0


def is_record(message: Message) -> bool:
    error = message.error()
    if error is None:
        return True
    if error.code() == KafkaError._PARTITION_EOF:
        return False
    raise KafkaException(error)
