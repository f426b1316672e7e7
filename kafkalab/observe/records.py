"""Writing records and reading them back, one partition at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kafkalab.clients import LAB_CONSUMER
from kafkalab.contracts import ClientConfig
from kafkalab.contracts.partition_log import LogRecord
from kafkalab.waiting import Expired, wait_until

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, Producer

    from kafkalab.brokers import Broker

# Milliseconds on an idle broker; a first idempotent send may take half a second.
SEND_LIMIT = 20.0
READ_LIMIT = 20.0

# With this a consumer reports the end of a partition as an event.
KNOWS_ENDS = {"enable.partition.eof": True}

# In place of a partition: let the producer's partitioner choose (librdkafka's PARTITION_UA).
BY_KEY = -1


# The value of the last record: once it is read, each earlier record has been read, or never
# will be.
SENTINEL = b"sentinel"

# Values that many lessons send: each is the number of its record.
TEN = [b"%d" % number for number in range(10)]


@dataclass(frozen=True)
class Record:
    """A record to be sent."""

    value: bytes | None
    key: bytes | None = None
    timestamp_ms: int = 0
    """milliseconds since the epoch; 0 lets the client take the time of sending"""
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(frozen=True)
class DeliveryReport:
    """The delivery report of one record."""

    key: bytes | None
    value: bytes | None
    partition: int
    offset: int | None
    """None when it failed: the offset that a failed report carries means nothing"""
    timestamp_ms: int
    error: KafkaError | None


@dataclass
class _Reports:
    """Gathers delivery reports: the callback only appends them, and judges none."""

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
            headers=list(record.headers),
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
    """Make a producer ready for transactions, and fence earlier ones with the same id.

    It connects first. Without a connection, librdkafka would look for the coordinator
    again only after half a second.

    Raises:
        KafkaException: the broker refused it, or did not answer within SEND_LIMIT.
    """
    producer.list_topics(timeout=SEND_LIMIT)
    producer.init_transactions(SEND_LIMIT)


def end_transaction(producer: Producer, *, ends_well: bool) -> None:
    """Commit the transaction, or abort it.

    Raises:
        KafkaException: the broker refused it, or did not answer within SEND_LIMIT.
    """
    if ends_well:
        producer.commit_transaction(SEND_LIMIT)
    else:
        producer.abort_transaction(SEND_LIMIT)


def transactional(
    producer: Callable[..., Producer], name: str, settings: ClientConfig | None = None
) -> Producer:
    """A producer with this transactional id, ready to begin a transaction."""
    writer = producer({"transactional.id": name, **(settings or {})})
    init_transactions(writer)
    return writer


def transaction(
    writer: Producer, topic: str, values: Sequence[bytes], *, ends_well: bool = True
) -> None:
    """Send values in a transaction, and commit it, or abort it."""
    writer.begin_transaction()
    # An abort before all is sent would write nothing.
    send(writer, topic, values)
    end_transaction(writer, ends_well=ends_well)


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
    """The partition's start offset and end offset (high watermark), as the broker has them now."""
    from confluent_kafka import TopicPartition

    low, high = consumer.get_watermark_offsets(
        TopicPartition(topic, partition), timeout=READ_LIMIT, cached=False
    )
    return low, high


def wait_for_end(observer: Consumer, topic: str, end: int) -> int:
    """Wait until partition 0 ends at `end`: markers may come after the commit has returned.

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
        # Before the first record the position is a negative code, not an offset.
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

    The sentinel was written last. Once it has come, a record that is still missing does not
    come at all.

    Raises:
        Expired: the sentinel did not come within READ_LIMIT.
    """
    polled = poll_until(
        consumer,
        lambda records: bool(records) and records[-1].value() == last,
        what=f"the sentinel {last!r}",
    )
    return [each.value() for each in polled[:-1]]


def values_to_end(consumer: Consumer) -> list[bytes | None]:
    """The values that a consumer with KNOWS_ENDS polls before it is told that a partition ends.

    Raises:
        Expired: it was not told within READ_LIMIT.
    """
    *records, _ = events_until(
        consumer,
        lambda events: bool(events) and error_of(events[-1]) is not None,
        what="the event that says that the partition ends",
    )
    return [each.value() for each in records]


# Readers of one partition


def reading(broker: Broker, group: str) -> dict[str, Any]:
    """The settings of a consumer of a group, for a process that makes its own."""
    return {**broker.client_properties(), **LAB_CONSUMER, "group.id": group}


def take(reader: Consumer, topic: str, count: int) -> list[Message]:
    """Read `count` records of partition 0, from the group's committed offset on."""
    from confluent_kafka import TopicPartition

    reader.assign([TopicPartition(topic, 0)])
    return poll_until(reader, lambda records: len(records) == count, what=f"{count} records")


def next_record(reader: Consumer) -> Message:
    """The next record, whenever it comes."""
    (record,) = poll_until(reader, bool, what="the next record")
    return record


def read_to_sentinel(reader: Consumer) -> list[bytes]:
    """The values that a reader gets before the sentinel."""
    return [value or b"" for value in values_until(reader, SENTINEL)]


def read_on(reader: Consumer, topic: str) -> list[bytes]:
    """The values that a group's next process reads: from the committed offset to the sentinel."""
    from confluent_kafka import TopicPartition

    reader.assign([TopicPartition(topic, 0)])
    return read_to_sentinel(reader)


def position_of(reader: Consumer, topic: str) -> int:
    """The offset that a consumer reads next from partition 0."""
    from confluent_kafka import TopicPartition

    (place,) = reader.position([TopicPartition(topic, 0)])
    return place.offset


def read_settled(consumer: Callable[..., Consumer], topic: str, *partitions: int) -> list[Message]:
    """Read the committed records, after the last transaction has ended: markers come late.

    Args:
        consumer: makes a consumer, with settings that it is given.
        topic: its name.
        partitions: their numbers; partition 0 if there are none.

    Raises:
        Expired: a transaction did not end within READ_LIMIT.
    """
    stable, latest = consumer(), consumer({"isolation.level": "read_uncommitted"})
    wait_until(
        lambda: [
            (watermarks(stable, topic, each), watermarks(latest, topic, each))
            for each in partitions or (0,)
        ],
        lambda ends: all(committed == written for committed, written in ends),
        limit=READ_LIMIT,
        what=f"the last transaction in {topic} to end",
    )
    return read(stable, topic, *partitions)


def read_outputs(consumer: Callable[..., Consumer], topic: str) -> list[Message]:
    """Read what a component has committed to partition 0, however late its markers come.

    Args:
        consumer: makes a consumer, with settings that it is given.
        topic: its name.

    Raises:
        AssertionError: a transaction did not end within READ_LIMIT: it was left open.
    """
    try:
        return read_settled(consumer, topic)
    except Expired as error:
        raise AssertionError(
            "Each transaction is committed or aborted before the component ends: "
            f"one in {topic} was still open after {READ_LIMIT:.0f} s."
        ) from error


# Refusals


def refused_by(*calls: Callable[[], object]) -> list[KafkaError]:
    """The error that each of the calls raises.

    Raises:
        AssertionError: a call raised nothing.
    """
    from confluent_kafka import KafkaException

    errors = []
    for call in calls:
        try:
            call()
        except KafkaException as refused:
            errors.append(refused.args[0])
        else:
            raise AssertionError("The call is refused; it was not.")
    return errors


# Records as the checkers take them


def log_records(records: Sequence[Message]) -> list[LogRecord]:
    """The records as the checkers take them."""
    return [
        LogRecord(
            each.topic() or "",
            each.partition() or 0,
            each.offset() or 0,
            each.key(),
            each.value(),
            None,
        )
        for each in records
    ]


# How records spread


def by_partition(deliveries: Sequence[DeliveryReport], partitions: int) -> dict[int, int]:
    """How many records each partition got."""
    counts = Counter(each.partition for each in deliveries)
    return {partition: counts[partition] for partition in range(partitions)}


def by_partition_and_key(
    deliveries: Sequence[DeliveryReport], partitions: int
) -> dict[int, dict[str, int]]:
    """How many records of each key each partition got."""
    return {
        partition: dict(
            Counter(
                (each.key or b"").decode() for each in deliveries if each.partition == partition
            )
        )
        for partition in range(partitions)
    }


def values_by_partition(records: Sequence[Message]) -> dict[int, list[bytes]]:
    """The values in each partition that has records, in order."""
    found: dict[int, list[bytes]] = {}
    for each in records:
        found.setdefault(each.partition() or 0, []).append(each.value() or b"")
    return dict(sorted(found.items()))
