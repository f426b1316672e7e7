"""Task 1.2: send records by key, and know where each of them landed.

`produce()` of the client only puts a record into a queue. What became of it is
told later, record by record; a publisher that does not listen loses records
without a word. This one reports every record once, and fails when one failed.
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

# How many records are handed over between two looks at what was acknowledged.
LOOK_EVERY = 500
# Seconds in which the client hands out the reports of records that it gave up.
GIVE_UP_LIMIT = 5.0


# Where a key belongs


def encode_key(key: Key) -> bytes | None:
    """A key as it is sent: text as UTF-8, bytes as they are, None as no key.

    The hash is of the bytes, so every producer of a topic must encode alike.

    Raises:
        TypeError: anything else, such as a number: there are too many ways to write it.
    """
    if isinstance(key, str):
        return key.encode("utf-8")
    if key is None or isinstance(key, bytes):
        return key
    raise TypeError(f"a key is bytes or text, not {type(key).__name__}: encode it yourself")


def crc32_partition(key: bytes | str, partitions: int) -> int:
    """Where librdkafka's `consistent` partitioner puts a key.

    So does its default, `consistent_random`, except that it takes an empty key
    for none. CRC32 without a sign, modulo the number of partitions.

    Raises:
        ValueError: there are no partitions to choose from.
    """
    return crc32(_hashable(key)) % _checked(partitions)


def murmur2_partition(key: bytes | str, partitions: int) -> int:
    """Where Java's default, and librdkafka's `murmur2`, puts a key.

    The hash is taken as a number of 32 bits whose sign bit is cleared, which is
    not the same as its absolute value (`toPositive` of Kafka's Utils).

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
        config: how to reach the cluster, and whatever else the producer should
            be told, `partitioner` or `enable.idempotence` for instance.
        records: what to send, in this order.
        one_by_one: wait for each record before the next is sent. The log is the
            same, for many times the requests.
        limit: seconds for the whole call. Records that are not acknowledged by
            then are given up, and reported as such; those that were under way
            may be in the log nevertheless.

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
            # A failed message carries an offset too; it means nothing.
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
    """What a KeyedRecord has; one of a million may be made of something lighter."""

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
    """Send records as `publish` does, and tell of each what became of it; nothing is kept.

    Args:
        config: as there, and so the next, and the last two.
        records: as there.
        on_delivery: the client's callback, called with the error, or None, and the message.
        on_refusal: called where the client did not take a record.
        one_by_one: as there.
        limit: as there.

    Raises:
        TypeError: a key or a value is neither bytes nor text.
    """
    producer = Producer(dict(config))
    deadline = time.monotonic() + limit
    for number, record in enumerate(records):
        # produce() encodes text as encode_key does.
        headers: Any = list(record.headers) if record.headers else None
        try:
            while True:
                try:
                    producer.produce(
                        record.topic,
                        record.value,
                        record.key,
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
        KafkaException: there was none until the deadline.
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
