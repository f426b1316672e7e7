"""Task 1.3: what does a consumer see, and what does it remember?

Write `partition_log.py`: `read_to_end` and `follow` read topics as logs; `log_line`, `to_json`
and `from_json` show a record; `check_order` checks the order of what was read, and `progress`
shows how far a consumer is.

Looking is not consuming: these readers join no group, commit nothing and delete nothing, so
they disturb no client that works on the topic.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kafkalab.contracts import ClientConfig

if TYPE_CHECKING:
    from confluent_kafka import Consumer

READ_LIMIT = 30.0
"""Seconds of silence. Records come in milliseconds; a cluster that elects leaders may take some."""

# A message must stay readable, even if much went wrong.
MOST_SHOWN = 5


class LogRecord(NamedTuple):
    """A record as it is in the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    """None means no key; an empty key is a key"""
    value: bytes | None
    """None means a deletion (a tombstone); an empty value is a value"""
    timestamp_ms: int | None
    """milliseconds since the epoch; None if the record has none (TIMESTAMP_NOT_AVAILABLE)"""
    headers: tuple[tuple[str, bytes | None], ...] = ()
    """names and values in their order; a name may come more than once"""


class ReadFailed(Exception):
    """A topic could not be read: it is unknown, has no leader, or nothing came for too long."""


class NothingCompared(Exception):
    """A check found nothing to compare.

    It is not an AssertionError: it says nothing about Kafka, so the fact is then invalid,
    neither passed nor refuted.
    """


@dataclass(frozen=True)
class Violation:
    """One thing that was seen, and must not be."""

    name: str
    """such as `disorder of a key`, or `disorder in a partition`"""
    where: str
    """such as `orders-0` or `key b'user-1' of orders`"""
    text: str
    """one line that says what was expected and what was seen"""

    def __str__(self) -> str:
        return f"{self.name}, {self.where}: {self.text}"


@dataclass(frozen=True)
class Checked:
    """What a check found, and among how many items.

    A check that had nothing to compare finds nothing, and so proves nothing: see `require`.
    """

    violations: tuple[Violation, ...]
    compared: int

    def names(self) -> set[str]:
        """The names of the violations, each once."""
        return {violation.name for violation in self.violations}

    def require(self) -> None:
        """Require that something was compared and that all of it was as it should be.

        Raises:
            NothingCompared: there was nothing to compare.
            AssertionError: there are violations; the text shows the first MOST_SHOWN.
        """
        if self.compared == 0:
            raise NothingCompared("the check found nothing to compare, so it proves nothing")
        if self.violations:
            shown = [str(violation) for violation in self.violations[:MOST_SHOWN]]
            count = f"violations: {len(self.violations)}, compared: {self.compared}"
            raise AssertionError("\n".join([count, *shown]))


class Progress(NamedTuple):
    """How far a consumer is in one partition: where it goes on now, and where after a crash."""

    topic: str
    partition: int
    position: int | None
    """the offset of the next record that it gets; None before it has one"""
    committed: int | None
    """the offset that its group has committed; None without a commit, which is not 0"""


def sequence_of(record: LogRecord) -> int:
    """The number that the demo data gives each record of a key, counted from 0.

    It is the field `sequence` in the JSON of the value.
    """
    return int(json.loads(record.value or b"")["sequence"])


class PartitionLog(Protocol):
    """What `partition_log.py` has to offer."""

    def read_to_end(
        self, config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
    ) -> Iterator[LogRecord]:
        """Read topics from their start to the end that they have when the reading begins.

        Every record of every partition comes once, with all fields of LogRecord. Inside a
        partition records come in the order of their offsets; partitions may come interleaved
        or one after another. Records come while the reading goes on, so that a topic may be
        larger than the memory. The reading begins when the first record is asked for.

        - Records that are appended meanwhile are left out: a busy topic would never end.
        - While a transaction is open, readers of committed records get no further than its
          first record (the last stable offset): what follows is left out, too.
        - Offsets have gaps: from compaction, from aborted transactions, and from the markers
          that end a transaction, which no reader gets. Gaps do not end the reading. A marker
          may be at the very end, so that the last offset never comes as a record: the reading
          ends all the same when there is no more, and not by its limit.
        - An empty poll does not end the reading: a broker may hold its answers back.
        - An empty partition, an empty topic and an empty list of topics end at once.
        - It joins no group and commits nothing, whatever `group.id` and `enable.auto.commit`
          the config has.
        - Its consumer is closed at the end in any case, also when the caller stops reading
          half-way.

        Args:
            config: how to reach the cluster, and further settings of the consumer.
                `isolation.level` decides whether records of aborted transactions are read;
                by default they are not. Whatever the config says, you set what a reader needs:
                where it starts, that it commits nothing, and which events it gets.
            topics: their names.
            limit: seconds without anything from the cluster, after which the reading fails.
                The time that the caller takes with a record does not count.

        Raises:
            ReadFailed: a topic is unknown (it is not an empty topic, and is not created by
                this); a partition has no leader within the limit; or nothing came within the
                limit, while the topics were read.
            KafkaException: the cluster refused, or cannot be reached when the reading begins.
        """
        ...

    def follow(
        self, config: ClientConfig, topics: Sequence[str], *, quiet: float = READ_LIMIT
    ) -> Iterator[LogRecord]:
        """Read topics from their start, and go on as records arrive.

        It begins with the records that are there already. It ends without an error after `quiet`
        seconds without a record; the time that the caller takes with a record does not count.
        Order, gaps, groups, commits and closing are as for `read_to_end`; an empty list of
        topics ends at once. It need not notice partitions that a topic gets meanwhile.

        Raises:
            ReadFailed: a topic is unknown, or a partition has no leader within `quiet`.
            KafkaException: the cluster refused, or cannot be reached.
        """
        ...

    def log_line(self, record: LogRecord) -> str:
        """Show a record in one line, for people.

        - It shows topic, partition, offset, time, key, value and each header in their order.
        - The time is a date of the calendar in UTC, as in `2024-01-01T00:00:00.000Z`; 0 is a
          time. A number beyond the calendar is shown as a number, a missing time as missing.
        - Names, keys and values that are UTF-8 are shown as text that can be read. Any other
          bytes are shown in a form of their own, such as hexadecimal digits.
        - The line has printable characters only (`str.isprintable`): a line end, an escape
          or a change of direction in a value is shown escaped, and so is the character that
          begins an escape, such as the backslash.
        - Different short values make different lines, and so do different keys: none, empty,
          the text `null`, and bytes compared with a text that looks like their form.
        - A key, a value or a header's value that is longer than a few hundred characters is cut,
          between two characters, and its size is given in bytes, in plain digits without
          separators: a value of a million bytes still makes a line below 2,000 characters, with
          1000000 in it.
        """
        ...

    def to_json(self, record: LogRecord) -> str:
        """Write a record as one line of JSON, an object; `from_json` makes an equal record of it.

        Key, value and headers' values may be any bytes, or None, which is not the same as empty.
        Headers' names may be any text, even with characters that `str.splitlines` takes for a
        line end. The form of the object is up to you.
        """
        ...

    def from_json(self, line: str) -> LogRecord:
        """Read the record that `to_json` wrote; it is equal to the one that was written.

        Raises:
            ValueError: the line is not of that form: not JSON, other JSON, or something is missing.
        """
        ...

    def check_order(
        self, records: Sequence[LogRecord], sequence: Callable[[LogRecord], int] = sequence_of
    ) -> Checked:
        """Check whether records that were read are in order, where Kafka promises order.

        Inside a partition, each offset is greater than the one read just before it in that
        partition; gaps are fine. The producer's own numbers of one key of a topic ascend, too:
        each is compared with the one of that key read just before it, in any partition.
        Records without a key have no order by number. Between keys, and between partitions,
        there is no order, so none is checked.

        Args:
            records: in the order of reading.
            sequence: the number that the producer gave a record.

        Returns:
            A violation for each record that is out of order, named `disorder in a partition`
            or `disorder of a key`: two if both orders are broken. And how many records were
            compared with one before them, in partitions and keys together.
        """
        ...

    def progress(self, consumer: Consumer, *, limit: float = READ_LIMIT) -> list[Progress]:
        """Return positions beside committed offsets, for each partition that is assigned.

        The client returns negative numbers, such as -1001, if there is no offset: make them
        None. The consumer is only asked: it is not moved, commits nothing, and stays open.

        Returns:
            A row for each partition that the consumer is assigned, by topic and partition;
            no row if it is assigned none.

        Raises:
            KafkaException: the committed offsets did not come within the limit, in seconds.
        """
        ...
