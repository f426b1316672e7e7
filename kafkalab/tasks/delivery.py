"""Task 1.5: three processors that keep a promise each, and a fourth that promises nothing.

A processor gets a consumer that has its partitions, reads record after record, and
hands each to the processing. What it promises depends only on when it commits. It
takes the consumer over, and closes it at the end in any case. An error in the
processing ends it too: a record that fails is reported, and never skipped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

# The contract's settings are this component's own.
from kafkalab.contracts.delivery import SETTINGS as SETTINGS
from kafkalab.contracts.delivery import Output, Process, Stop, Transform

if TYPE_CHECKING:
    from confluent_kafka import Message

# Seconds that one poll takes at most; a stop may wait as long.
POLL = 0.1
# Records of one transaction, at most. Each transaction costs two round trips.
BATCH = 100
# Seconds for a request of a transaction; a cluster that elects a coordinator may take some.
TRANSACTION_LIMIT = 30.0


def at_most_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    """Commit each record before it is processed: a crash in between loses it, none comes twice.

    Args:
        consumer: it has or will get its partitions; made with SETTINGS. It is
            closed at the end.
        process: processes a record.
        stop: called between two records.

    Returns:
        How many records were processed.

    Raises:
        KafkaException: Kafka refused something.
        Exception: any error that `process` raised.
    """
    done = 0
    with closing(consumer):
        for message in _records(consumer, stop):
            consumer.commit(message=message, asynchronous=False)
            process(message)
            done += 1
    return done


def at_least_once(consumer: Consumer, process: Process, stop: Stop) -> int:
    """Commit each record after it is processed: a crash in between repeats it, none is lost.

    Arguments, result and errors are those of `at_most_once`.
    """
    done = 0
    with closing(consumer):
        for message in _records(consumer, stop):
            process(message)
            consumer.commit(message=message, asynchronous=False)
            done += 1
    return done


def auto_commit(consumer: Consumer, process: Process, stop: Stop) -> int:
    """Let the client commit on a timer: a crash may lose records, and may repeat others.

    The client commits what it has handed over (`enable.auto.offset.store`), processed
    or not. This processor is here for comparison, not for use.

    Arguments, result and errors are those of `at_most_once`.
    """
    done = 0
    with closing(consumer):
        for message in _records(consumer, stop):
            process(message)
            done += 1
    return done


def _records(consumer: Consumer, stop: Stop) -> Iterator[Message]:
    while not stop():
        message = consumer.poll(POLL)
        if message is not None and _is_record(message):
            yield message


def _is_record(message: Message) -> bool:
    """Whether it is a record; the event for the end of a partition is none.

    Raises:
        KafkaException: it is any other error.
    """
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    return error is None


def exactly_once(consumer: Consumer, producer: Producer, transform: Transform, stop: Stop) -> int:
    """Write the outputs and commit the inputs in one transaction: both happen, or neither.

    This holds inside of Kafka, for readers of committed records. A transaction that
    the broker refuses is aborted, and its records are read again: an abort takes
    back what was written, but does not move the consumer back.

    Args:
        consumer: as for `at_most_once`.
        producer: with a `transactional.id` that is this processor's own: a
            later producer with the same id fences this one.
        transform: returns the outputs of a record.
        stop: called between two transactions.

    Returns:
        How many records were processed in transactions that were committed.

    Raises:
        KafkaException: Kafka refused something for good, for example fenced the producer.
        Exception: any error that `transform` raised, after the transaction was aborted.
    """
    done = 0
    with closing(consumer):
        producer.init_transactions(TRANSACTION_LIMIT)
        while not stop():
            batch = [each for each in consumer.consume(BATCH, POLL) if _is_record(each)]
            if batch and _commit(consumer, producer, transform, batch):
                done += len(batch)
    return done


def _commit(
    consumer: Consumer, producer: Producer, transform: Transform, batch: Sequence[Message]
) -> bool:
    """Do one transaction for these records; return False if it was aborted, to be repeated."""
    producer.begin_transaction()
    try:
        outputs = [output for message in batch for output in transform(message)]
    except BaseException as error:
        try:
            producer.abort_transaction(TRANSACTION_LIMIT)
        except KafkaException as second:
            # The error of `transform` is the one that the caller has to see.
            error.add_note(f"and the transaction could not be aborted: {second}")
        raise
    try:
        for output in outputs:
            _produce(producer, output)
        producer.send_offsets_to_transaction(
            _next_offsets(batch), consumer.consumer_group_metadata(), TRANSACTION_LIMIT
        )
        producer.commit_transaction(TRANSACTION_LIMIT)
    except KafkaException as error:
        refused = error.args[0]
        # When the broker has refused an output, produce() accepts no further one: _STATE.
        if not refused.txn_requires_abort() and refused.code() != KafkaError._STATE:
            raise
        producer.abort_transaction(TRANSACTION_LIMIT)
        _rewind(consumer, batch)
        return False
    return True


def _produce(producer: Producer, output: Output) -> None:
    """Hand a record to the client; if its queue is full, wait once until it is empty.

    Raises:
        BufferError: it is still full after TRANSACTION_LIMIT.
    """
    try:
        producer.produce(output.topic, output.value, output.key)
    except BufferError:
        producer.flush(TRANSACTION_LIMIT)
        producer.produce(output.topic, output.value, output.key)


def _next_offsets(batch: Sequence[Message]) -> list[TopicPartition]:
    """The offset after the last record of each partition: a commit names the next offset."""
    ends = {(each.topic() or "", each.partition() or 0): each.offset() or 0 for each in batch}
    return [TopicPartition(*place, last + 1) for place, last in ends.items()]


def _rewind(consumer: Consumer, batch: Sequence[Message]) -> None:
    firsts: dict[tuple[str, int], int] = {}
    for each in batch:
        firsts.setdefault((each.topic() or "", each.partition() or 0), each.offset() or 0)
    for place, first in firsts.items():
        consumer.seek(TopicPartition(*place, first))


class IdempotentSink:
    """Applies the effect of each record once, however often it comes, in a file.

    It identifies a record by topic, partition and offset, which are the same each
    time that the record is read. One transaction of the database writes both these
    and the effect, so that no crash comes between them.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or create it."""
        # The thread that closes it need not be the one that processes.
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS effects ("
            "topic TEXT, part INTEGER, position INTEGER, value BLOB, "
            "PRIMARY KEY (topic, part, position))"
        )

    def apply(self, message: Message) -> bool:
        """Apply a record; return whether it had an effect. A repeated record has none."""
        written = self._database.execute(
            "INSERT OR IGNORE INTO effects VALUES (?, ?, ?, ?)",
            (message.topic(), message.partition(), message.offset(), message.value()),
        )
        return written.rowcount == 1

    def values(self) -> list[bytes | None]:
        """The values of all effects, by topic, partition and offset."""
        rows = self._database.execute("SELECT value FROM effects ORDER BY topic, part, position")
        return [value for (value,) in rows]

    def close(self) -> None:
        """Close the file."""
        self._database.close()
