"""Goes back, after an abort, in the partition of the first record only."""

from __future__ import annotations

from contextlib import closing

from confluent_kafka import Consumer, KafkaException, Producer

from kafkalab.contracts.delivery import Stop, Transform
from kafkalab.tasks import delivery as right
from kafkalab.tasks.delivery import (
    IdempotentSink,
    at_least_once,
    at_most_once,
    auto_commit,
)

__all__ = [
    "CAUGHT_BY",
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

CAUGHT_BY = "exactly-once-goes-back-everywhere"


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        producer.init_transactions(30)
        while not stop():
            batch = [each for each in consumer.consume(100, 0.1) if right._is_record(each)]
            if not batch:
                continue
            producer.begin_transaction()
            try:
                for message in batch:
                    for output in transform(message):
                        producer.produce(output.topic, output.value, output.key)
                producer.send_offsets_to_transaction(
                    right._next_offsets(batch), consumer.consumer_group_metadata(), 30
                )
                producer.commit_transaction(30)
                done += len(batch)
            except KafkaException as error:
                if not error.args[0].txn_requires_abort() and error.args[0].name() != "_STATE":
                    raise
                producer.abort_transaction(30)
                right._rewind(
                    consumer, [e for e in batch if e.partition() == batch[0].partition()][:1]
                )
            except BaseException:
                producer.abort_transaction(30)
                raise
    return done
