"""Task 1.2: send records by key, and know where each of them landed.

`produce()` of the client only puts a record into a queue. What became of it is
told later, record by record; a publisher that does not listen loses records
without a word. This one reports every record once, and fails when one failed.
"""

from __future__ import annotations

import contextlib
import gc
import json
import random
import time
from binascii import crc32
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

ClientConfig = Mapping[str, Any]
"""Properties of a client, in librdkafka's names; `bootstrap.servers` at least."""

Key = bytes | str | None

# Seconds. A record is acknowledged in milliseconds; a cluster that elects leaders may take some.
PUBLISH_LIMIT = 30.0
# How many records are handed over between two looks at what was acknowledged.
LOOK_EVERY = 500
# Seconds in which the client hands out the reports of records that it gave up.
GIVE_UP_LIMIT = 5.0


@dataclass(frozen=True, slots=True)
class KeyedRecord:
    """A record to be published."""

    topic: str
    key: Key
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Report(NamedTuple):
    """What became of one record. Where it failed, it has a key and an error and no place."""

    topic: str
    key: bytes | None
    """as it was sent: encoded"""
    partition: int | None
    offset: int | None
    """None without acknowledgements (acks=0)"""
    timestamp_ms: int | None
    """milliseconds since the epoch"""
    error: KafkaError | None = None


class PublishFailed(Exception):
    """Some records were not acknowledged; `reports` tells of every one, good and bad."""

    def __init__(self, reports: Sequence[Report]) -> None:
        self.reports = list(reports)
        failed = [report for report in reports if report.error is not None]
        first = failed[0]
        reason = first.error.str() if first.error is not None else ""
        super().__init__(
            f"{len(failed)} of {len(reports)} records were not acknowledged; the first of them, "
            f"key {first.key!r} for {first.topic}: {reason}"
        )


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
    producer = Producer(dict(config))
    deadline = time.monotonic() + limit
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

    with _no_garbage_collection():
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
                fail(record.topic, encode_key(record.key), refused.args[0])
            if one_by_one:
                producer.flush(_left(deadline))
            elif number % LOOK_EVERY == 0:
                producer.poll(0)
        producer.flush(_left(deadline))
        if len(producer):
            producer.purge()
            producer.flush(GIVE_UP_LIMIT)
    if failed:
        raise PublishFailed(reports)
    return reports


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Reports form no cycles; to look for some in a hundred thousand takes as long as sending."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


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


@dataclass(frozen=True)
class Distribution:
    """How many records each partition got; index is the partition, empty ones included."""

    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.counts)

    @property
    def shares(self) -> tuple[float, ...]:
        """Each partition's part of the whole, 0 to 1; all 0 where there is nothing."""
        return tuple(count / self.total if self.total else 0.0 for count in self.counts)

    @property
    def skew(self) -> float:
        """The fullest partition against the mean: 1 is even, the number of partitions is worst.

        1 where there is nothing.
        """
        mean = self.total / len(self.counts)
        return max(self.counts) / mean if mean else 1.0

    def chi_square(self) -> tuple[float, float]:
        """Pearson's statistic against an even spread, and its p-value.

        A small p-value (below 0.01, say) means that so uneven a spread would be
        rare if each record went to any partition with the same chance.

        Raises:
            ValueError: there is nothing to compare: no records, or one partition.
        """
        if not self.total or len(self.counts) < 2:
            raise ValueError("an even spread needs records and at least two partitions")
        # A second of importing, for those only who ask.
        from scipy.stats import chisquare

        result = chisquare(self.counts)
        return float(result.statistic), float(result.pvalue)


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


# Something to publish

ACTIONS = ("view", "search", "add-to-cart", "checkout")
CITIES = ("Lisbon", "Kraków", "München", "São Paulo", "東京")


def user_events(
    *, users: int = 3, per_user: int = 10, seed: int = 1, topic: str = "user-events"
) -> list[KeyedRecord]:
    """Events of a shop's users, keyed by user; by default 30 records in 3 keys.

    Each value is JSON with the user's own `sequence`, counted from 0. The users'
    events are shuffled among each other, each user's stay in order.
    """
    dice = random.Random(seed)
    return [
        _record(
            topic,
            f"user-{user}",
            sequence,
            action=dice.choice(ACTIONS),
            city=dice.choice(CITIES),
            page=f"/product/{dice.randrange(1000)}",
        )
        for user, sequence in _interleaved(users, per_user, dice)
    ]


def orders(
    *, count: int = 20, per_order: int = 10, seed: int = 1, topic: str = "orders"
) -> list[KeyedRecord]:
    """The steps of orders, keyed by order; each value is JSON with the order's `sequence`."""
    dice = random.Random(seed)
    return [
        _record(
            topic,
            f"order-{1000 + number}",
            sequence,
            status="created" if sequence == 0 else f"step {sequence}",
            amount=round(dice.uniform(5, 500), 2),
            currency="EUR",
        )
        for number, sequence in _interleaved(count, per_order, dice)
    ]


def _interleaved(keys: int, per_key: int, dice: random.Random) -> Iterable[tuple[int, int]]:
    turns = [key for key in range(keys) for _ in range(per_key)]
    dice.shuffle(turns)
    next_number = [0] * keys
    for key in turns:
        yield key, next_number[key]
        next_number[key] += 1


def _record(topic: str, key: str, sequence: int, **payload: object) -> KeyedRecord:
    value = json.dumps({"key": key, "sequence": sequence, **payload}, ensure_ascii=False)
    return KeyedRecord(topic, key, value.encode("utf-8"))
