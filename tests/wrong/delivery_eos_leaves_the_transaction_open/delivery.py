"""Writes while it transforms, and lets an error of `transform` out without aborting.

"The transaction is aborted first": until then it stays open, and holds up all who read committed
records behind it, for a minute with the default of `transaction.timeout.ms`.
"""

from __future__ import annotations

from contextlib import closing

from confluent_kafka import Consumer, KafkaException, Producer

from kafkalab.contracts.delivery import Stop, Transform
from kafkalab.tasks import delivery as right
from kafkalab.tasks.delivery import IdempotentSink, at_least_once, at_most_once, auto_commit

__all__ = [
    "CAUGHT_BY",
    "CAUGHT_WITH",
    "IdempotentSink",
    "at_least_once",
    "at_most_once",
    "auto_commit",
    "exactly_once",
]

CAUGHT_BY = "a-failing-record-is-told"
CAUGHT_WITH = ("exactly-once",)

LIMIT = 30.0


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    done = 0
    with closing(consumer):
        producer.init_transactions(LIMIT)
        while not stop():
            batch = [each for each in consumer.consume(100, 0.1) if right._is_record(each)]
            if not batch:
                continue
            producer.begin_transaction()
            for message in batch:
                for output in transform(message):
                    right._produce(producer, output)
                    producer.flush(LIMIT)
            try:
                producer.send_offsets_to_transaction(
                    right._next_offsets(batch), consumer.consumer_group_metadata(), LIMIT
                )
                producer.commit_transaction(LIMIT)
            except KafkaException as error:
                if not error.args[0].txn_requires_abort():
                    raise
                producer.abort_transaction(LIMIT)
                right._rewind(consumer, batch)
                continue
            done += len(batch)
    return done
