"""Writing records and reading them back, one partition at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kafkalab.waiting import wait_until

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, Producer

# Milliseconds on an idle broker; a first idempotent send may take half a second.
SEND_LIMIT = 20.0
READ_LIMIT = 20.0

# The end of a partition is then an event of its own.
KNOWS_ENDS = {"enable.partition.eof": True}

# As a partition: let the producer's partitioner decide (librdkafka's PARTITION_UA).
BY_KEY = -1


@dataclass(frozen=True)
class Record:
    """A record to be sent."""

    value: bytes | None
    key: bytes | None = None
    timestamp_ms: int = 0
    """milliseconds since the epoch; 0 lets the client take the time of sending"""


@dataclass(frozen=True)
class DeliveryReport:
    """What became of one record: the delivery report, in the order of sending."""

    key: bytes | None
    value: bytes | None
    partition: int
    offset: int | None
    """None when it failed: the offset that a failed report carries means nothing"""
    timestamp_ms: int
    error: KafkaError | None


@dataclass
class _Reports:
    """Gathers delivery reports; the callback only appends, judging comes later."""

    messages: list[tuple[KafkaError | None, Message]] = field(default_factory=list)

    def __call__(self, error: KafkaError | None, message: Message) -> None:
        self.messages.append((error, message))


def send(
    producer: Producer, topic: str, records: Sequence[Record | bytes], *, partition: int = 0
) -> list[DeliveryReport]:
    """Send records to one partition, or BY_KEY, and wait for every delivery report.

    Raises:
        Expired: not all reports came within SEND_LIMIT.
    """
    reports = _Reports()
    for each in records:
        record = each if isinstance(each, Record) else Record(each)
        producer.produce(
            topic,
            value=record.value,
            key=record.key,
            partition=partition,
            timestamp=record.timestamp_ms,
            on_delivery=reports,
        )
    producer.flush(SEND_LIMIT)
    wait_until(
        lambda: len(reports.messages),
        lambda count: count == len(records),
        limit=1,
        what=f"{len(records)} delivery reports after a flush of {SEND_LIMIT:.0f} s",
    )
    return [_delivery(error, message) for error, message in reports.messages]


def init_transactions(producer: Producer) -> None:
    """Make a producer ready for transactions, and fence those before it of the same id.

    Once it is connected: asked before, librdkafka looks for the coordinator again
    after half a second only.

    Raises:
        KafkaException: it was refused, or not answered within SEND_LIMIT.
    """
    producer.list_topics(timeout=SEND_LIMIT)
    producer.init_transactions(SEND_LIMIT)


def end_transaction(producer: Producer, *, ends_well: bool) -> None:
    """Commit the transaction, or abort it.

    Raises:
        KafkaException: it was refused, or not answered within SEND_LIMIT.
    """
    if ends_well:
        producer.commit_transaction(SEND_LIMIT)
    else:
        producer.abort_transaction(SEND_LIMIT)


def _delivery(error: KafkaError | None, message: Message) -> DeliveryReport:
    return DeliveryReport(
        key=message.key(),
        value=message.value(),
        partition=message.partition() or 0,
        offset=None if error else message.offset(),
        timestamp_ms=message.timestamp()[1],
        error=error,
    )


def error_of(message: Message | None) -> KafkaError | None:
    """The error that a poll returned in place of a record; None for a record or nothing."""
    error: KafkaError | None = message.error() if message is not None else None
    return error


def watermarks(consumer: Consumer, topic: str, partition: int = 0) -> tuple[int, int]:
    """The partition's start offset and end offset (high watermark), asked of the broker."""
    from confluent_kafka import TopicPartition

    low, high = consumer.get_watermark_offsets(
        TopicPartition(topic, partition), timeout=READ_LIMIT, cached=False
    )
    return low, high


def wait_for_end(observer: Consumer, topic: str, end: int) -> int:
    """Wait until partition 0 ends there; a transaction's marker comes after its commit returned.

    Raises:
        Expired: it did not within READ_LIMIT.
    """
    return wait_until(
        lambda: watermarks(observer, topic)[1],
        lambda offset: offset == end,
        limit=READ_LIMIT,
        what=f"the committed records of {topic} to end at {end}",
    )


def read(consumer: Consumer, topic: str, *partitions: int) -> list[Message]:
    """Read partitions from start to end, one after another, in the order named.

    Joins no group. The end is where the high watermark is when a partition's
    turn comes; gaps in the offsets and empty polls do not end the reading.

    Raises:
        Expired: the end was not reached within READ_LIMIT.
    """
    messages: list[Message] = []
    for partition in partitions or (0,):
        messages += _read_one(consumer, topic, partition)
    return messages


def _read_one(consumer: Consumer, topic: str, partition: int) -> list[Message]:
    from confluent_kafka import TopicPartition

    start, end = watermarks(consumer, topic, partition)
    if start == end:
        return []
    place = TopicPartition(topic, partition, start)
    consumer.assign([place])
    messages: list[Message] = []

    def position_after_poll() -> int:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            messages.append(message)
        # Before the first record the position is a negative sign, not an offset.
        return consumer.position([place])[0].offset

    wait_until(
        position_after_poll,
        lambda position: position >= end,
        limit=READ_LIMIT,
        what=f"the position in {topic}-{partition} to reach the end offset {end}",
        interval=0,
    )
    consumer.unassign()
    return [message for message in messages if (message.offset() or 0) < end]


def events_until(
    consumer: Consumer,
    enough: Callable[[list[Message]], bool],
    *,
    what: str,
    limit: float = READ_LIMIT,
) -> list[Message]:
    """Poll until `enough(events)`; return all that came: records, errors, ends of partitions.

    Raises:
        Expired: it was not enough within the limit.
    """
    events: list[Message] = []

    def poll_once() -> list[Message]:
        event = consumer.poll(0.05)
        if event is not None:
            events.append(event)
        return events

    return wait_until(poll_once, enough, limit=limit, what=what, interval=0)


def wait_for_error(consumer: Consumer, code: int) -> KafkaError:
    """Poll until an error event of that code comes.

    Raises:
        Expired: none came within READ_LIMIT.
    """
    *_, event = events_until(
        consumer,
        lambda events: any(error.code() == code for each in events if (error := error_of(each))),
        what=f"the event {code}",
    )
    error = error_of(event)
    assert error is not None
    return error


def poll_until(
    consumer: Consumer, enough: Callable[[list[Message]], bool], *, what: str
) -> list[Message]:
    """Poll until `enough(records)`; return the records, without errors and ends of partitions.

    Raises:
        Expired: it was not enough within READ_LIMIT.
    """

    def records(events: list[Message]) -> list[Message]:
        return [event for event in events if event.error() is None]

    return records(events_until(consumer, lambda events: enough(records(events)), what=what))


def values_until(consumer: Consumer, last: bytes) -> list[bytes | None]:
    """The values that a consumer polls, up to and without a sentinel: the value `last`.

    That a record does not come is shown by one that was written later and does.

    Raises:
        Expired: the sentinel did not come within READ_LIMIT.
    """
    polled = poll_until(
        consumer,
        lambda records: bool(records) and records[-1].value() == last,
        what=f"the sentinel {last!r}",
    )
    return [each.value() for each in polled[:-1]]
