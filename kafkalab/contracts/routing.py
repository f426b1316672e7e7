"""Task 1.2: where does a record land, and who decides?

Write `routing.py` with four functions: `crc32_partition` and `murmur2_partition` predict
where a key goes, `publish` sends records by key and reports where each of them landed, and
`distribution` counts how they spread.

The client's `produce()` only puts a record into a queue. The client reports the outcome later,
record by record; a publisher that does not look at the reports loses records silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kafkalab.chi_squared import chi_squared
from kafkalab.contracts import ClientConfig
from kafkalab.readable import readable

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

Key = bytes | str | None
"""Text is sent as its UTF-8, bytes as they are, None as no key; an empty key is a key."""

PUBLISH_LIMIT = 30.0
"""Seconds. A record takes milliseconds; a cluster that elects leaders may take some."""


@dataclass(frozen=True, slots=True)
class KeyedRecord:
    """A record to publish."""

    topic: str
    key: Key
    value: bytes | None
    """None means a deletion (a tombstone); an empty value is a value"""
    headers: tuple[tuple[str, bytes | None], ...] = ()
    """in this order; a name may come more than once"""


class Report(NamedTuple):
    """The outcome of one record. If it failed, it has a key and an error, but no place."""

    topic: str
    key: bytes | None
    """as it was sent: encoded"""
    partition: int | None
    """None if it failed"""
    offset: int | None
    """None if it failed, and without acknowledgements (acks=0)"""
    timestamp_ms: int | None
    """milliseconds since the epoch, as the client reports them; None if it failed"""
    error: KafkaError | None = None


class PublishFailed(Exception):
    """Some records were not acknowledged; `reports` has a report of each record, good and bad."""

    def __init__(self, reports: Sequence[Report]) -> None:
        self.reports = list(reports)
        failed = [report for report in reports if report.error is not None]
        first = failed[0]
        reason = first.error.str() if first.error is not None else ""
        super().__init__(
            f"{len(failed)} of {len(reports)} records were not acknowledged; the first of them, "
            f"{_with_key(first.key)} for {first.topic}: {reason}"
        )


def _with_key(key: object) -> str:
    if key is None:
        return "without a key"
    # A component may report a key of another type; then a fact says so, and not a crash here.
    text = key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else str(key)
    return f"with the key '{readable(text)}'"


@dataclass(frozen=True)
class Distribution:
    """How many records each partition got; index is the partition, empty ones included."""

    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.counts)

    @property
    def shares(self) -> tuple[float, ...]:
        """Each partition's part of the whole, 0 to 1; all 0 without records."""
        return tuple(count / self.total if self.total else 0.0 for count in self.counts)

    @property
    def skew(self) -> float:
        """The fullest partition against the mean: 1 is even, the number of partitions is worst.

        1 without records.
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
        return chi_squared(self.counts)


class Routing(Protocol):
    """What `routing.py` has to offer."""

    def crc32_partition(self, key: bytes | str, partitions: int) -> int:
        """Return the partition in which librdkafka's `consistent` partitioner puts a key.

        It is the CRC32 of the key's bytes (as zlib has it), as an unsigned number, modulo the
        number of partitions. Any key has a partition: empty, binary, 64 KiB. Text is hashed as
        its UTF-8, so `ü` is two bytes.

        Returns:
            The partition, counted from 0.

        Raises:
            ValueError: there are fewer than 1 partitions.
            TypeError: the key is neither bytes nor text. None is no key, and has no partition.
        """
        ...

    def murmur2_partition(self, key: bytes | str, partitions: int) -> int:
        """Return the partition in which Java's default, and librdkafka's `murmur2`, put a key.

        It is the MurmurHash2 of 32 bits over the key's bytes, with Java's seed 0x9747b28c. The
        sign bit of the hash is cleared, which differs from its absolute value (`toPositive` of
        Kafka's Utils); then it is taken modulo the number of partitions. In Java the hash of
        `b"21"` is -973932308; as an unsigned number it is 3321034988.

        Keys, result and errors are those of `crc32_partition`.
        """
        ...

    def publish(
        self,
        config: ClientConfig,
        records: Iterable[KeyedRecord],
        *,
        one_by_one: bool = False,
        limit: float = PUBLISH_LIMIT,
    ) -> list[Report]:
        """Publish records by their keys, and return when each of them is acknowledged.

        A record counts as published when the broker has acknowledged it, not when the
        client has taken it. Records are sent in their order, so that they have that order
        inside a partition. The client's partitioner chooses the partition of each record. Key,
        value and headers arrive as KeyedRecord has them.

        - When the client's queue is full (`BufferError`), the call waits for room: more records
          than the queue holds are published all the same, each once and in order.
        - A record that is refused, by the client in `produce()` or by the broker in its
          report, stops no other: those after it are published too. Then the call fails.
          A broker refuses whole batches, so records that the client put into one batch with a
          bad one are refused with it; each is reported as refused, and need not be sent again.
        - When `limit` has passed, records that are not acknowledged are given up, and so are
          those not yet handed to the client. Each is reported with an error, and the call
          fails, a few seconds later at most. Records that were on their way may be in the log
          nevertheless.
        - No client of its own stays open when the call is over.

        Args:
            config: how to reach the cluster, and further settings of the producer, for example
                `partitioner` or `acks`. It belongs to the caller: nothing in it is replaced. You
                choose the settings that it does not have. `enable.idempotence` decides how far
                order and "once" hold when the client sends a record again.
            records: what to send, iterated once: it may be a generator, which comes to an end.
                An error that it raises reaches the caller. Without records the result is empty,
                and no broker is needed.
            one_by_one: wait for each record's report before the next is sent; otherwise the
                client may put many into one request. The log is the same either way.
            limit: seconds for the whole call. A topic that is unknown is reported by the
                client after `topic.metadata.propagation.max.ms`, 30 s by default.

        Returns:
            One report for each record, in the order of acknowledgement; inside a partition
            that is the order of sending. A failed report has the client's error.

        Raises:
            PublishFailed: a record was refused or given up. It carries one report for each
                record, good and bad.
            TypeError: a key is neither bytes nor text nor None, such as a number: there are
                too many ways to write it. Records before it may have been published.
            KafkaException: the client does not accept the config.
        """
        ...

    def distribution(self, partitions_of_records: Iterable[int], partitions: int) -> Distribution:
        """Count records by the partition that each landed in.

        Args:
            partitions_of_records: the partition of each record.
            partitions: how many the topic has. Each is counted, even without a record.

        Raises:
            ValueError: a record's partition is not among 0 to `partitions` - 1, or there are
                fewer than 1 partitions.
        """
        ...
