"""Task 1.3: what does a consumer see, and what does it remember?

Write `partition_log.py`: `read_to_end` and `follow` read topics as what they are, logs;
`log_line`, `to_json` and `from_json` show a record; `check_order` checks the order of what
was read, and `progress` tells how far a consumer is.

Looking is not consuming: these readers join no group, commit nothing and delete nothing, so
nobody who works on the topic is disturbed.
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

# A message must stay readable, however much went wrong.
MOST_SHOWN = 5


class LogRecord(NamedTuple):
    """A record as it stands in the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    """None is no key, which an empty one is not"""
    value: bytes | None
    """None is a deletion (a tombstone), which an empty value is not"""
    timestamp_ms: int | None
    """milliseconds since the epoch; None where the record has none (TIMESTAMP_NOT_AVAILABLE)"""
    headers: tuple[tuple[str, bytes | None], ...] = ()
    """names and values in their order; a name may come more than once"""


class ReadFailed(Exception):
    """A topic could not be read: it is unknown, has no leader, or nothing came for too long."""


class NothingCompared(Exception):
    """A check found nothing to compare.

    Not an AssertionError: it says nothing about Kafka, so a fact is invalid then, neither
    passed nor refuted.
    """


@dataclass(frozen=True)
class Violation:
    """One thing that must not be, and was seen."""

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
    """How far a consumer is in one partition: what comes next, and what would after a crash."""

    topic: str
    partition: int
    position: int | None
    """the offset of the next record that it gets; None before it was given one"""
    committed: int | None
    """the offset that its group has committed; None where there is no commit, which is not 0"""


def sequence_of(record: LogRecord) -> int:
    """The number that the demo data gives each record of a key, counted from 0.

    It stands as `sequence` in the JSON of the value.
    """
    return int(json.loads(record.value or b"")["sequence"])


class PartitionLog(Protocol):
    """What `partition_log.py` has to offer."""

    def read_to_end(
        self, config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
    ) -> Iterator[LogRecord]:
        """Read topics from their start to where they end when the reading begins.

        Every record of every partition comes once, with all that LogRecord has. Inside a
        partition they come in the order of their offsets; partitions may come interleaved
        or one after another. Records come while the reading goes on, so that a topic may be
        larger than the memory; the reading begins when the first is asked for.

        - What is appended meanwhile is left out: on a busy topic it would never end.
        - While a transaction is open, a log ends for readers of committed records where its
          first record stands (the last stable offset): what is behind is left out, too.
        - Offsets have gaps, from compaction, from transactions that were aborted, and from
          the markers that end a transaction, which nobody is shown. They end nothing. A
          marker may stand at the very end, so that the last offset is never seen as a
          record: the reading ends all the same when there is no more, and not by its limit.
        - A poll that brings nothing ends nothing: a broker may hold its answers back.
        - An empty partition, an empty topic and no topics end at once.
        - No group is joined and nothing committed, whatever `group.id` and
          `enable.auto.commit` the config has.
        - Its consumer is closed at the end, whatever ends it: also when the caller stops
          reading half-way.

        Args:
            config: how to reach the cluster, and whatever else the consumer should be told.
                `isolation.level` decides whether records of aborted transactions are read;
                by default they are not. What makes a reader of it is yours to set, whatever
                it says: where it starts, that it commits nothing, and the events it needs.
            topics: their names.
            limit: seconds in which nothing comes from the cluster, after which the reading
                is given up. The time that the caller takes with a record does not count.

        Raises:
            ReadFailed: a topic is unknown, which is no empty topic, and is not created by
                this; a partition has no leader within the limit; or nothing came for the
                limit, while the topics were read.
            KafkaException: the cluster refused, or cannot be reached when the reading begins.
        """
        ...

    def follow(
        self, config: ClientConfig, topics: Sequence[str], *, quiet: float = READ_LIMIT
    ) -> Iterator[LogRecord]:
        """Read topics from their start, and go on as records arrive.

        It begins with what is there already. It ends, well, after `quiet` seconds without a
        record; the time that the caller takes with a record does not count. Order, gaps,
        groups, commits and closing are as for `read_to_end`; no topics end at once. Partitions
        that a topic gets meanwhile need not be noticed.

        Raises:
            ReadFailed: a topic is unknown, or a partition has no leader within `quiet`.
            KafkaException: the cluster refused, or cannot be reached.
        """
        ...

    def log_line(self, record: LogRecord) -> str:
        """Show a record in one line, for people.

        - It tells topic, partition, offset, time, key, value and each header in their order.
        - The time is a date of the calendar in UTC, as in `2024-01-01T00:00:00.000Z`; 0 is a
          time. A number beyond the calendar is shown as a number, and none is told as none.
        - Names, keys and values that are UTF-8 are shown as text that can be read. Any other
          bytes are shown in a form of their own, such as hexadecimal digits.
        - The line has printable characters only (`str.isprintable`): a line end, an escape
          or a change of direction in a value is shown escaped, and so is the character that
          begins an escape, such as the backslash.
        - Different short values make different lines, and so do keys: none, empty, `null` as
          text, and bytes beside a text that looks like their form.
        - Content that is longer than a few hundred characters is cut, between two characters,
          and its size told in bytes, in plain digits without separators: a value of a million
          bytes still makes a line below 2,000 characters, with 1000000 in it.
        """
        ...

    def to_json(self, record: LogRecord) -> str:
        """Write a record as one line of JSON, an object; `from_json` makes the same of it.

        Key, value and headers' values may be any bytes, or None, which stays apart from empty;
        headers' names may be any text, also with what `str.splitlines` takes for a line end.
        How the object shows them is yours; text should stay readable.
        """
        ...

    def from_json(self, line: str) -> LogRecord:
        """Read the record that `to_json` wrote; it is equal to the one that was written.

        Raises:
            ValueError: the line is not of that form: no JSON, other JSON, something missing.
        """
        ...

    def check_order(
        self, records: Sequence[LogRecord], sequence: Callable[[LogRecord], int] = sequence_of
    ) -> Checked:
        """Check whether records that were read are in order, where Kafka promises order.

        Inside a partition each offset is greater than the one read just before it there, gaps
        are fine. And the producer's own numbers of one key of a topic ascend likewise, each
        compared with the one of that key read just before it, in whichever partition it stood.
        Records without a key have no order by number. Between keys, and between partitions,
        there is no order, so none is asked for.

        Args:
            records: in the order of reading.
            sequence: the number that the producer gave a record.

        Returns:
            A violation for each record that is out of order, named `disorder in a partition`
            or `disorder of a key`: two where both are broken. And how many records were
            compared with one before them, in partitions and keys together.
        """
        ...

    def progress(self, consumer: Consumer, *, limit: float = READ_LIMIT) -> list[Progress]:
        """Tell positions beside committed offsets, for each partition that is assigned.

        The client says with negative numbers, such as -1001, that there is no offset: None.
        The consumer is only asked: it is not moved, commits nothing, and stays open.

        Returns:
            A row for each partition that the consumer is assigned, by topic and partition;
            none where it is assigned none.

        Raises:
            KafkaException: the committed offsets could not be had within the limit, in
                seconds.
        """
        ...
