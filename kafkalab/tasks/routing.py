"""Task 1.2: send records by key, and know where each of them landed.

The client's `produce()` only puts a record into a queue. The client reports the
outcome later, record by record; a publisher that does not look at the reports
loses records silently. This one reports every record once, and fails when one failed.
"""

from __future__ import annotations

import time
from binascii import crc32
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.routing import (
    PUBLISH_LIMIT,
    Distribution,
    Key,
    KeyedRecord,
    PublishFailed,
    Report,
)

# In place of a partition: let the producer's partitioner choose (librdkafka's PARTITION_UA).
ANY_PARTITION = -1
# Records handed over between two calls of poll(), which serve the reports.
LOOK_EVERY = 500
# Seconds for the reports of records that were given up.
GIVE_UP_LIMIT = 5.0


# Where a key belongs


def encode_key(key: Key) -> bytes | None:
    """A key as it is sent: text as UTF-8, bytes as they are, None as no key.

    Clients hash the bytes, so all producers of a topic must encode alike.

    Raises:
        TypeError: anything else, such as a number: there are too many ways to write it.
    """
    if isinstance(key, str):
        return key.encode("utf-8")
    if key is None or isinstance(key, bytes):
        return key
    raise TypeError(f"a key is bytes or text, not {type(key).__name__}: encode it yourself")


def crc32_partition(key: bytes | str, partitions: int) -> int:
    """The partition in which librdkafka's `consistent` partitioner puts a key.

    librdkafka's default, `consistent_random`, does the same, except that it takes an
    empty key for none. It is the unsigned CRC32, modulo the number of partitions.

    Raises:
        ValueError: there are no partitions to choose from.
    """
    return crc32(_hashable(key)) % _checked(partitions)


def murmur2_partition(key: bytes | str, partitions: int) -> int:
    """The partition in which Java's default, and librdkafka's `murmur2`, put a key.

    The hash is a number of 32 bits whose sign bit is cleared, which differs from its
    absolute value (`toPositive` of Kafka's Utils).

    Raises:
        ValueError: there are no partitions to choose from.
    """
    return (murmur2(_hashable(key)) & 0x7FFFFFFF) % _checked(partitions)


def murmur2(data: bytes) -> int:
    """MurmurHash2 as Kafka's Java client seeds it, as an unsigned number of 32 bits."""
    mask, multiplier = 0xFFFFFFFF, 0x5BD1E995
    result = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        block = int.from_bytes(data[at : at + 4], "little") * multiplier & mask
        block = (block ^ block >> 24) * multiplier & mask
        result = result * multiplier & mask ^ block
    if whole < len(data):
        rest = int.from_bytes(data[whole:], "little")
        result = (result ^ rest) * multiplier & mask
    result = (result ^ result >> 13) * multiplier & mask
    return result ^ result >> 15


def _hashable(key: bytes | str) -> bytes:
    encoded = encode_key(key)
    if encoded is None:
        raise TypeError("a record without a key has no place of its own")
    return encoded


def _checked(partitions: int) -> int:
    if partitions < 1:
        raise ValueError(f"a topic has at least one partition, not {partitions}")
    return partitions


# Publishing


def publish(
    config: ClientConfig,
    records: Iterable[KeyedRecord],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> list[Report]:
    """Publish records by their keys, and return when each of them is acknowledged.

    Args:
        config: how to reach the cluster, and further settings of the producer,
            for example `partitioner` or `enable.idempotence`.
        records: what to send, in this order.
        one_by_one: wait for each record before the next is sent. The log is the
            same, for many times the requests.
        limit: seconds for the whole call. Records that are not acknowledged by
            then are given up, and reported with an error; those that were on
            their way may be in the log nevertheless.

    Returns:
        One report for each record, in the order of acknowledgement; inside a
        partition that is the order of sending.

    Raises:
        PublishFailed: a record was refused or given up. It carries all reports.
        TypeError: a key or a value is neither bytes nor text.
    """
    reports: list[Report] = []
    failed: list[Report] = []

    def fail(topic: str, key: bytes | None, error: KafkaError) -> None:
        failed.append(Report(topic, key, None, None, None, error))
        reports.append(failed[-1])

    def on_delivery(error: KafkaError | None, message: Any) -> None:
        if error is not None:
            # A failed message has an offset too, which means nothing.
            fail(message.topic(), message.key(), error)
            return
        reports.append(
            Report(
                message.topic(),
                message.key(),
                message.partition(),
                message.offset(),
                message.timestamp()[1],
            )
        )

    def on_refusal(record: Sendable, error: KafkaError) -> None:
        fail(record.topic, encode_key(record.key), error)

    send(config, records, on_delivery, on_refusal, one_by_one=one_by_one, limit=limit)
    if failed:
        raise PublishFailed(reports)
    return reports


class Sendable(Protocol):
    """The fields of a KeyedRecord; for a million records a lighter class can have them."""

    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> Key: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> tuple[tuple[str, bytes | None], ...]: ...


def send(
    config: ClientConfig,
    records: Iterable[Sendable],
    on_delivery: Callable[[KafkaError | None, Any], None],
    on_refusal: Callable[[Sendable, KafkaError], None],
    *,
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
) -> None:
    """Send records as `publish` does, and report each by a callback; keep no reports.

    Args:
        config: as for `publish`.
        records: as for `publish`.
        on_delivery: the client's callback; called with the error, or None, and the message.
        on_refusal: called when the client did not accept a record.
        one_by_one: as for `publish`.
        limit: as for `publish`.

    Raises:
        TypeError: a key or a value is neither bytes nor text.
    """
    send_by(Producer(dict(config)), records, on_delivery, on_refusal, one_by_one, limit)


def send_by(
    producer: Producer,
    records: Iterable[Sendable],
    on_delivery: Callable[[KafkaError | None, Any], None],
    on_refusal: Callable[[Sendable, KafkaError], None],
    one_by_one: bool = False,
    limit: float = PUBLISH_LIMIT,
    partition: int = ANY_PARTITION,
) -> None:
    """Send records as `send` does, by an existing producer that sends nothing else.

    Args:
        producer: the producer.
        records: as for `send`.
        on_delivery: as for `send`.
        on_refusal: as for `send`.
        one_by_one: as for `send`.
        limit: as for `send`.
        partition: the partition of all records; by default the partitioner chooses.
    """
    deadline = time.monotonic() + limit
    for number, record in enumerate(records):
        # produce() encodes text as encode_key does.
        headers: Any = list(record.headers) if record.headers else None
        try:
            if not _left(deadline):
                # The source was slow: what comes now is given up, too.
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            while True:
                try:
                    producer.produce(
                        record.topic,
                        record.value,
                        record.key,
                        partition,
                        on_delivery=on_delivery,
                        headers=headers,
                    )
                    break
                except BufferError:
                    _make_room(producer, deadline)
        except KafkaException as refused:
            on_refusal(record, refused.args[0])
        if one_by_one:
            producer.flush(_left(deadline))
        elif number % LOOK_EVERY == 0:
            producer.poll(0)
    producer.flush(_left(deadline))
    if len(producer):
        producer.purge()
        producer.flush(GIVE_UP_LIMIT)


def _make_room(producer: Producer, deadline: float) -> None:
    """Wait for reports: a record leaves the queue when its report is served.

    Raises:
        KafkaException: no report came before the deadline.
    """
    if producer.poll(_left(deadline)) == 0:
        raise KafkaException(KafkaError(KafkaError._QUEUE_FULL))


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


# How records spread


def distribution(partitions_of_records: Iterable[int], partitions: int) -> Distribution:
    """Count records by the partition that each landed in.

    Raises:
        ValueError: a record's partition is not among 0 to `partitions` - 1.
    """
    counts = [0] * _checked(partitions)
    for partition in partitions_of_records:
        if not 0 <= partition < partitions:
            raise ValueError(f"partition {partition} is not among 0 to {partitions - 1}")
        counts[partition] += 1
    return Distribution(tuple(counts))
