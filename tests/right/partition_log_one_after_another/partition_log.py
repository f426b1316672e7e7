"""Reads one partition after another by `poll`, and writes bytes as hexadecimal digits in its JSON.

Right: every promise of the contract is kept. What differs from the reference: a context manager
for the consumer, partitions in a row instead of side by side, a JSON of lists that is read by
`match`, times by whole numbers, and an order that is checked record by record.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from kafkalab.contracts import ClientConfig, Place
from kafkalab.contracts.partition_log import (
    READ_LIMIT,
    Checked,
    LogRecord,
    ReadFailed,
    Violation,
    sequence_of,
)
from kafkalab.tasks import partition_log as right
from kafkalab.tasks.partition_log import progress

__all__ = [
    "check_order",
    "follow",
    "from_json",
    "log_line",
    "progress",
    "read_to_end",
    "to_json",
]

POLL = 0.1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@contextmanager
def _looking(config: ClientConfig) -> Iterator[Consumer]:
    consumer = Consumer(
        {
            "group.id": "one-after-another",
            **config,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    try:
        yield consumer
    finally:
        consumer.close()


def read_to_end(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    with _looking(config) as consumer:
        for place, (start, end) in right._spans(consumer, topics, limit).items():
            if start < end:
                consumer.assign([TopicPartition(*place, start)])
                yield from _until(consumer, place, end, limit)


def _until(consumer: Consumer, place: Place, end: int, limit: float) -> Iterator[LogRecord]:
    heard = time.monotonic()
    while time.monotonic() - heard <= limit:
        message: Any = consumer.poll(POLL)
        if message is None:
            continue
        error = message.error()
        ended = error is not None and right._tells_an_end(error)
        if (message.topic(), message.partition()) == place:
            following = message.offset() + (not ended)
            if following <= end and not ended:
                yield right.record_of(message)
            if following >= end:
                return
        heard = time.monotonic()
    raise ReadFailed(f"nothing came for {limit:.0f} s from {place[0]}-{place[1]}")


def follow(
    config: ClientConfig, topics: Sequence[str], *, quiet: float = READ_LIMIT
) -> Iterator[LogRecord]:
    with _looking(config) as consumer:
        spans = right._spans(consumer, topics, quiet)
        if not spans:
            return
        consumer.assign([TopicPartition(*place, start) for place, (start, _) in spans.items()])
        heard = time.monotonic()
        while time.monotonic() - heard <= quiet:
            message: Any = consumer.poll(POLL)
            if message is None:
                continue
            error = message.error()
            if error is None or not right._tells_an_end(error):
                yield right.record_of(message)
                heard = time.monotonic()


def log_line(record: LogRecord) -> str:
    parts = [
        f"{record.topic}/{record.partition}",
        f"#{record.offset}",
        _time(record.timestamp_ms),
        right._shown(record.key),
        "=>",
        right._shown(record.value),
        *(f"{right._quoted(name)}={right._shown(value)}" for name, value in record.headers),
    ]
    return " ".join(parts)


def _time(timestamp_ms: int | None) -> str:
    if timestamp_ms is None:
        return "(no time)"
    try:
        when = EPOCH + timedelta(milliseconds=timestamp_ms)
    except OverflowError:
        return f"(time {timestamp_ms})"
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_json(record: LogRecord) -> str:
    headers = [[name, _packed(value)] for name, value in record.headers]
    key, value = _packed(record.key), _packed(record.value)
    return json.dumps({**record._asdict(), "key": key, "value": value, "headers": headers})


def from_json(line: str) -> LogRecord:
    match json.loads(line):
        case {
            "topic": str(topic),
            "partition": int(partition),
            "offset": int(offset),
            "key": key,
            "value": value,
            "timestamp_ms": int() | None as timestamp_ms,
            "headers": [*headers],
        }:
            return LogRecord(
                topic,
                partition,
                offset,
                _unpacked(key),
                _unpacked(value),
                timestamp_ms,
                tuple(map(_header, headers)),
            )
    raise ValueError(f"not a record as to_json writes it: {line[:100]}")


def _header(data: Any) -> tuple[str, bytes | None]:
    match data:
        case [str(name), value]:
            return name, _unpacked(value)
    raise ValueError("not a header as to_json writes it")


def _packed(content: bytes | None) -> list[str] | None:
    if content is None:
        return None
    try:
        return ["text", content.decode("utf-8")]
    except UnicodeDecodeError:
        return ["hex", content.hex()]


def _unpacked(data: Any) -> bytes | None:
    match data:
        case None:
            return None
        case ["text", str(text)]:
            return text.encode("utf-8")
        case ["hex", str(digits)]:
            return bytes.fromhex(digits)
    raise ValueError("not content as to_json writes it")


class _Order:
    """The latest number in each place, and what was out of order."""

    def __init__(self) -> None:
        self.latest: dict[tuple[object, ...], int] = {}
        self.violations: list[Violation] = []
        self.compared = 0

    def see(self, place: tuple[object, ...], number: int, name: str, where: str) -> None:
        before = self.latest.get(place)
        self.latest[place] = number
        if before is None:
            return
        self.compared += 1
        if number <= before:
            self.violations.append(Violation(name, where, f"{number} came after {before}"))


def check_order(
    records: Sequence[LogRecord], sequence: Callable[[LogRecord], int] = sequence_of
) -> Checked:
    order = _Order()
    for topic, partition, offset, *_ in records:
        where = f"{topic}-{partition}"
        order.see((topic, partition), offset, "disorder in a partition", where)
    for record in records:
        if (key := record.key) is not None:
            where = f"key {key!r} of {record.topic}"
            order.see((record.topic, key), sequence(record), "disorder of a key", where)
    return Checked(tuple(order.violations), order.compared)
