"""`kafkalab produce`: sends records by key, and shows where each of them landed."""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Annotated, Any, NamedTuple

import typer
from confluent_kafka import KafkaError

from kafkalab.brokers.cluster import Cluster, cluster_of, refused_by
from kafkalab.cli import output
from kafkalab.cli.cluster import one_line
from kafkalab.cli.options import BootstrapOption, CacheOption, ConfigOption, WrongValue
from kafkalab.cli.topics import partitions_of
from kafkalab.contracts.routing import KeyedRecord, PublishFailed, Report
from kafkalab.demo import orders, user_events
from kafkalab.readable import readable
from kafkalab.tasks.routing import Sendable, crc32_partition, murmur2_partition, publish, send
from kafkalab.waiting import wait_until

# The errors of records that the broker did not acknowledge in time.
UNANSWERED = (KafkaError._MSG_TIMED_OUT, KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)

# Records in one call of publish(), which keeps all reports until it returns: about 20 MB.
MOST_AT_ONCE = 50_000
# The client sends records of 1 MB by default: input without line ends for so long has no lines.
LONGEST_LINE = 64 << 20
# Seconds between two batches with a rate: often enough to look steady.
TICK = 0.1
WIDEST_KEY = 24

Shown = Callable[[Report, int], None]
"""shows a report, given how many partitions the topic has"""

PARTITIONERS = (
    "consistent_random",
    "consistent",
    "murmur2_random",
    "murmur2",
    "fnv1a_random",
    "fnv1a",
    "random",
)


class Line(NamedTuple):
    """A line as a record; making a KeyedRecord takes twice as long, too long for a million."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def produce(
    topic: Annotated[str, typer.Argument(help="The topic to send to.")] = "user-events",
    count: Annotated[int, typer.Option(min=1, help="How many demo records.")] = 20,
    keys: Annotated[int, typer.Option(min=1, help="How many keys they have.")] = 3,
    lines: Annotated[
        bool, typer.Option("--lines", help="Send the lines of standard input instead.")
    ] = False,
    key_separator: Annotated[
        str | None,
        typer.Option(
            "--key-separator", "-K", help="Between key and value of a line, as in : or \\t."
        ),
    ] = None,
    tombstones: Annotated[
        bool, typer.Option("--tombstones", help="A line with a key and no value is a deletion.")
    ] = False,
    rate: Annotated[
        float | None, typer.Option(min=0.1, max=1e6, help="At most so many records a second.")
    ] = None,
    partitioner: Annotated[
        str, typer.Option(help=f"One of librdkafka's: {', '.join(PARTITIONERS)}.")
    ] = PARTITIONERS[0],
    show: Annotated[
        bool | None,
        typer.Option(
            "--show/--no-show",
            help="Show each record, with what both hashes predict; the default without --lines.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Show each as a line of JSON, with both predictions.")
    ] = False,
    bootstrap: BootstrapOption = None,
    config: ConfigOption = None,
    cache: CacheOption = None,
) -> None:
    r"""Send records by key, demo data or lines, and show where each of them landed.

    Examples: kafkalab produce orders --keys 5 --rate 2
    printf 'anna:1\nben:2\n' | kafkalab produce orders --lines -K : --show
    """
    if partitioner not in PARTITIONERS:
        raise WrongValue(f"--partitioner {partitioner}: one of {', '.join(PARTITIONERS)}")
    if tombstones and key_separator is None:
        raise WrongValue("--tombstones: only a line with a key can be a deletion: give -K, too")
    separator = _separator(key_separator or "")
    cluster = cluster_of(bootstrap, config, cache)
    with one_line(f"to send records to {topic}"):
        partitions = len(partitions_of(cluster, topic))
        batches: Iterator[Iterable[Sendable]]
        if lines:
            batches = (_keyed(topic, batch, separator, tombstones=tombstones) for batch in _lines())
        else:
            batches = iter([_demo(topic, count, keys)])
        if rate is not None:
            batches = _paced(batches, rate)
        is_shown = show if show is not None else not lines
        shown: Shown | None = _tell_json if as_json else _Table() if is_shown else None
        _send(cluster, batches, partitions, partitioner, shown)


def _send(
    cluster: Cluster,
    batches: Iterable[Iterable[Sendable]],
    partitions: int,
    partitioner: str,
    shown: Shown | None,
) -> None:
    """Send all records, and print how many landed in which partition.

    Raises:
        BrokerError: at least one record was not acknowledged.
    """
    config = {**cluster.impatient, "partitioner": partitioner}
    landed, failed, trouble, is_gone = [0] * partitions, 0, "", False

    def count(error: KafkaError | None, message: Any) -> None:
        if error is None:
            landed[message.partition()] += 1
        else:
            fail(message, error)

    def fail(_: object, error: KafkaError) -> None:
        nonlocal failed, trouble, is_gone
        failed += 1
        trouble = trouble or error.str()
        is_gone |= error.code() in UNANSWERED

    for batch in batches:
        if is_gone:
            # The broker is gone: each further batch would wait as long.
            break
        if shown is None:
            send(config, batch, count, fail)
            continue
        try:
            reports = publish(config, map(_whole, batch))
        except PublishFailed as error:
            reports = error.reports
        for report in reports:
            if report.error is not None:
                fail(report, report.error)
            elif report.partition is not None:
                landed[report.partition] += 1
            shown(report, partitions)
        sys.stdout.flush()
    told = ", ".join(f"{partition}: {count}" for partition, count in enumerate(landed) if count)
    total = sum(landed)
    summary = f"{total} record{'' if total == 1 else 's'} acknowledged; by partition {told or '-'}"
    # A program that reads JSON expects only records on stdout.
    if shown is _tell_json:
        output.note(summary)
    else:
        output.line(summary, style="bold")
    if failed:
        raise refused_by(f"to send {total + failed} records", f"{failed} of them failed: {trouble}")


# What is sent


def _whole(record: Sendable) -> KeyedRecord:
    return KeyedRecord(record.topic, record.key, record.value, record.headers)


def _demo(topic: str, count: int, keys: int) -> list[KeyedRecord]:
    each = -(-count // keys)
    if topic == "orders":
        return orders(count=keys, per_order=each)[:count]
    return user_events(users=keys, per_user=each, topic=topic)[:count]


def _keyed(
    topic: str, lines: Iterable[bytes], separator: bytes, *, tombstones: bool
) -> Iterator[Line]:
    """Lines as records; a line without the separator has no key."""
    for line in lines:
        key, found, value = line.partition(separator) if separator else (b"", b"", line)
        if found:
            yield Line(topic, key, None if tombstones and not value else value)
        else:
            yield Line(topic, None, line)


def _separator(given: str) -> bytes:
    r"""The separator of key and value, as bytes; escapes such as `\t` have their meaning in C.

    Raises:
        WrongValue: an escape is unknown.
    """
    try:
        return given.encode("ascii", "backslashreplace").decode("unicode_escape").encode("utf-8")
    except UnicodeError:
        raise WrongValue(f"-K {given}: give a text, or an escape such as \\t") from None


def _lines() -> Iterator[list[bytes]]:
    """The lines of standard input, in batches of those that have arrived.

    Raises:
        WrongValue: a line is too long, or standard input is closed.
    """
    if sys.stdin is None:
        raise WrongValue("--lines: standard input is closed: send lines to it, as by a pipe")
    source, rest, has_more = sys.stdin.fileno(), b"", True
    while has_more:
        lines: list[bytes] = []
        while has_more and len(lines) < MOST_AT_ONCE:
            if lines and not select.select([source], [], [], 0)[0]:
                break
            read = os.read(source, 1 << 20)
            has_more = bool(read)
            *fresh, rest = (rest + read).split(b"\n")
            lines += fresh
            if len(rest) > LONGEST_LINE:
                raise WrongValue(f"a line of standard input has more than {LONGEST_LINE} bytes")
        if not has_more and rest:
            lines.append(rest)
        if lines:
            yield lines


def _paced(batches: Iterable[Iterable[Sendable]], rate: float) -> Iterator[Iterable[Sendable]]:
    """The same records in smaller batches, never more in a second than the rate allows.

    A record that has arrived is sent when it is due; it does not wait for later ones.
    """
    at_once, due = max(1, min(int(rate * TICK), MOST_AT_ONCE)), time.monotonic()
    for batch in batches:
        records = iter(batch)
        while part := list(islice(records, at_once)):
            wait_until(
                lambda due=due: time.monotonic() >= due,  # type: ignore[misc]
                limit=max(TICK, 1 / rate) + 60,
                what="the next record to be due",
            )
            due = time.monotonic() + len(part) / rate
            yield part


# What is shown


class _Table:
    """A line for each record, below a heading."""

    def __init__(self) -> None:
        self._has_begun = False

    def __call__(self, report: Report, partitions: int) -> None:
        if not self._has_begun:
            self._has_begun = True
            output.line(
                f"{'key':<{WIDEST_KEY}} crc32  murmur2  landed     = predicted this partition",
                style="dim",
            )
        crc32, murmur2 = _predictions(report, partitions)
        key = "no key" if report.key is None else _short(report.key)
        if report.error is not None:
            output.line(f"{key:<{WIDEST_KEY}} {report.error.str()}", style="red")
            return
        marks = [
            "-" if each is None else f"{'=' if each == report.partition else ' '}{each}"
            for each in (crc32, murmur2)
        ]
        output.line(
            f"{key:<{WIDEST_KEY}} {marks[0]:>5}  {marks[1]:>7}  "
            f"partition {report.partition} @{report.offset}"
        )


def _tell_json(report: Report, partitions: int) -> None:
    crc32, murmur2 = _predictions(report, partitions)
    key = None if report.key is None else report.key.decode("utf-8", "backslashreplace")
    row = {
        "topic": report.topic,
        "key": key,
        "partition": report.partition,
        "offset": report.offset,
        "crc32": crc32,
        "murmur2": murmur2,
        "error": None if report.error is None else report.error.str(),
    }
    output.one_of_many(json.dumps(row))


def _predictions(report: Report, partitions: int) -> tuple[int | None, int | None]:
    """The partitions that the two hashes predict; None for a record without a key."""
    if report.key is None:
        return None, None
    return crc32_partition(report.key, partitions), murmur2_partition(report.key, partitions)


def _short(key: bytes) -> str:
    try:
        text = readable(key.decode("utf-8"))
    except UnicodeDecodeError:
        text = f"0x{key.hex()}"
    text = text or '""'
    return text if len(text) <= WIDEST_KEY else f"{text[: WIDEST_KEY - 3]}..."
