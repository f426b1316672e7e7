"""Task 1.3: read topics as logs, show their records, and check their order.

Looking is not consuming: these readers join no group and commit nothing, so
they disturb no client that works on the topic.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from kafkalab.contracts import ClientConfig, Place
from kafkalab.contracts.partition_log import (
    READ_LIMIT,
    Checked,
    LogRecord,
    Progress,
    ReadFailed,
    Violation,
    sequence_of,
)
from kafkalab.waiting import Expired, wait_until

Message = Any
"""A record as the client returns it. The client's own type says that its offset may be None."""

# Records to take from the client at a time; one by one, a log would take four times as long.
BATCH = 500
BATCH_WAIT = 0.05

# Brokers name a partition's leader a little before the leader serves it. While there is none, the
# client calls the partition unknown.
NOT_YET_LEADING = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._TIMED_OUT,
)
UNKNOWN_OR_WITHOUT_LEADERS = (
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.TOPIC_EXCEPTION,
    KafkaError.LEADER_NOT_AVAILABLE,
)

# Characters. A line must stay readable, whatever a record holds.
LONGEST_SHOWN = 200
LONGEST_ESCAPED = 1000

EPOCH = datetime.fromtimestamp(0, UTC)


# Reading


def read_to_end(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    """Read topics from their start to the end that they have when the reading begins.

    Partitions are read side by side, so their records come interleaved. Records
    that are appended meanwhile are left out. Offsets may have gaps, from
    compaction and from transactions; neither gaps nor empty polls end the reading.

    Args:
        config: how to reach the cluster. `isolation.level` decides whether
            records of aborted transactions are read; by default they are not.
        topics: their names.
        limit: seconds without anything from the cluster, after which the reading fails.

    Raises:
        ReadFailed: a topic is unknown, a partition had no leader within the limit, or
            nothing came within the limit.
        KafkaException: the cluster refused or cannot be reached.
    """
    with closing(looker(config)) as consumer:
        spans = _spans(consumer, topics, limit)
        yield from read_by(consumer, spans, limit)


def read_between(
    config: ClientConfig, spans: Mapping[Place, tuple[int, int]], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    """Read partitions, each from its first offset up to, but without, its second one.

    Arguments and errors are those of `read_to_end`.
    """
    with closing(looker(config)) as consumer:
        yield from read_by(consumer, spans, limit)


def read_by(
    consumer: Consumer, spans: Mapping[Place, tuple[int, int]], limit: float
) -> Iterator[LogRecord]:
    """Read as `read_between` does, by an existing consumer that reads nothing else."""
    ends = {place: end for place, (start, end) in spans.items() if start < end}
    consumer.assign([TopicPartition(*place, spans[place][0]) for place in ends])
    if not ends:
        return
    for batch in _batches(consumer, limit):
        for message in batch:
            error = message.error()
            if error is not None:
                _tells_an_end(error)
            place = (message.topic(), message.partition())
            end = ends.get(place)
            if end is None:
                continue
            following = message.offset()
            if error is None:
                if following < end:
                    yield _record(place, following, message)
                following += 1
            # If gaps come last, no record shows the end; the client's event for the end does.
            if following >= end:
                del ends[place]
                consumer.pause([TopicPartition(*place)])
        if not ends:
            return
    left = ", ".join(f"{topic}-{partition}" for topic, partition in ends)
    raise ReadFailed(f"nothing came for {limit:.0f} s before the end of {left}")


def follow(
    config: ClientConfig, topics: Sequence[str], *, quiet: float = READ_LIMIT
) -> Iterator[LogRecord]:
    """Read topics from their start and go on as records arrive.

    It ends after `quiet` seconds without a record.

    Raises:
        ReadFailed: a topic is unknown, or a partition had no leader in that time.
        KafkaException: the cluster refused or cannot be reached.
    """
    with closing(looker(config)) as consumer:
        starts = {place: start for place, (start, _) in _spans(consumer, topics, quiet).items()}
        yield from _follow(consumer, starts, quiet)


def follow_from(
    config: ClientConfig, starts: Mapping[Place, int], *, quiet: float = READ_LIMIT
) -> Iterator[LogRecord]:
    """Read partitions, each from a given offset, and go on as records arrive.

    Arguments and errors are those of `follow`.
    """
    with closing(looker(config)) as consumer:
        yield from _follow(consumer, starts, quiet)


def _follow(consumer: Consumer, starts: Mapping[Place, int], quiet: float) -> Iterator[LogRecord]:
    if not starts:
        return
    consumer.assign([TopicPartition(*place, start) for place, start in starts.items()])
    for batch in _batches(consumer, quiet):
        for message in batch:
            error = message.error()
            if error is None or not _tells_an_end(error):
                place = (message.topic(), message.partition())
                yield _record(place, message.offset(), message)


def looker(config: ClientConfig) -> Consumer:
    """Make a consumer that only looks: it joins no group, and commits nothing."""
    return Consumer(
        {
            # The client demands a group.id; without subscribe and commit no group comes to be.
            "group.id": "kafkalab-partition-log",
            **config,
            # To look creates no topic, whatever the config says.
            "allow.auto.create.topics": False,
            # If the log's start moves while it is read, the reading goes on at the new start.
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )


def spans_of(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> dict[Place, tuple[int, int]]:
    """The start and the present end of the log of each partition of the topics.

    The end is the offset after the last one. These are offsets: there may be gaps.

    Raises:
        ReadFailed: a topic is unknown, or a partition had no leader within the limit.
        KafkaException: the cluster refused or cannot be reached.
    """
    with closing(looker(config)) as consumer:
        return _spans(consumer, topics, limit)


def _spans(consumer: Consumer, topics: Sequence[str], limit: float) -> dict[Place, tuple[int, int]]:
    spans: dict[Place, tuple[int, int]] = {}
    for topic in topics:
        metadata = consumer.list_topics(topic, timeout=limit).topics[topic]
        if metadata.error is not None:
            if metadata.error.code() not in UNKNOWN_OR_WITHOUT_LEADERS:
                raise KafkaException(metadata.error)
            raise ReadFailed(f"{topic} cannot be read: {metadata.error.str()}")
        for partition in sorted(metadata.partitions):
            spans[topic, partition] = bounds(consumer, TopicPartition(topic, partition), limit)
    return spans


def bounds(consumer: Consumer, place: TopicPartition, limit: float) -> tuple[int, int]:
    """Start and end offset; ask again if the leader was elected only just now."""

    def ask() -> tuple[int, int] | None:
        try:
            return consumer.get_watermark_offsets(place, timeout=limit)
        except KafkaException as error:
            if error.args[0].code() in NOT_YET_LEADING:
                return None
            raise

    what = f"a leader of {place.topic}-{place.partition} that answers"
    try:
        return cast(tuple[int, int], wait_until(ask, limit=limit, what=what))
    except Expired as expired:
        raise ReadFailed(str(expired)) from expired


def _batches(consumer: Consumer, silence: float) -> Iterator[list[Message]]:
    """Yield records and ends of partitions as they come, until nothing comes for `silence` s."""
    heard = time.monotonic()
    while time.monotonic() - heard <= silence:
        batch = consumer.consume(BATCH, BATCH_WAIT)
        if batch:
            yield batch
            # After the batch, because the caller's time with the records does not count.
            heard = time.monotonic()


def _tells_an_end(error: KafkaError) -> bool:
    """Whether an event is the end of a partition.

    Raises:
        KafkaException: it is any other error.
    """
    if error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    return True


def record_of(message: Message) -> LogRecord:
    """The LogRecord of a message of the client."""
    return _record((message.topic(), message.partition()), message.offset(), message)


def _record(place: Place, offset: int, message: Message) -> LogRecord:
    kind, timestamp_ms = message.timestamp()
    headers = message.headers()
    return LogRecord(
        place[0],
        place[1],
        offset,
        message.key(),
        message.value(),
        None if kind == TIMESTAMP_NOT_AVAILABLE else timestamp_ms,
        tuple(headers) if headers else (),
    )


# Showing


def log_line(record: LogRecord) -> str:
    """Show a record in one line, for people.

    Text is in quotes, with unprintable characters escaped; bytes that are not UTF-8
    are 0x and hexadecimal digits; a missing key or value is null. Long content is
    cut, and its size is added.
    """
    headers = ", ".join(
        f"{_shown(name.encode('utf-8', 'surrogatepass'))}: {_shown(value)}"
        for name, value in record.headers
    )
    return (
        f"{record.topic}-{record.partition} @{record.offset} {_time(record.timestamp_ms)} "
        f"key={_shown(record.key)} value={_shown(record.value)} headers=[{headers}]"
    )


def _time(timestamp_ms: int | None) -> str:
    if timestamp_ms is None:
        return "no-timestamp"
    try:
        # A float of seconds would be a millisecond off in distant years.
        when = EPOCH + timedelta(milliseconds=timestamp_ms)
    except OverflowError:
        # A producer may write any number of 64 bits; the calendar ends earlier.
        return f"{timestamp_ms}ms"
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(content: bytes | None) -> str:
    if content is None:
        return "null"
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        cut, shown = len(content) > LONGEST_SHOWN, f"0x{content[:LONGEST_SHOWN].hex()}"
    else:
        start = text[:LONGEST_SHOWN]
        # What is escaped takes up to ten characters for one.
        while len(_quoted(start)) > LONGEST_ESCAPED:
            start = start[: len(start) // 2]
        cut, shown = len(start) < len(text), _quoted(start)
    return f"{shown}...({len(content)} bytes)" if cut else shown


def _quoted(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    # As Python writes it: \n, \x1b, \u202e.
    return character.encode("unicode_escape").decode("ascii")


def to_json(record: LogRecord) -> str:
    """Write a record as one line of JSON; `from_json` makes an equal record of it.

    Keys, values and headers' values are null, {"text": ...} for UTF-8, or
    {"base64": ...} for anything else.
    """
    return json.dumps(as_data(record))


def as_data(record: LogRecord) -> dict[str, Any]:
    """A record as the data that `to_json` writes."""
    return {
        **record._asdict(),
        "key": _to_json(record.key),
        "value": _to_json(record.value),
        "headers": [[name, _to_json(value)] for name, value in record.headers],
    }


def from_json(line: str) -> LogRecord:
    """Read the record that `to_json` wrote.

    Raises:
        ValueError: the line is not of that form.
    """
    try:
        return msgspec.json.decode(line, type=_Line).record()
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        raise ValueError(f"not a record as to_json writes it: {line[:LONGEST_SHOWN]}") from error


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """A line as `to_json` writes it, with the type of each field."""

    topic: str
    partition: int
    offset: int
    key: dict[str, str] | None
    value: dict[str, str] | None
    timestamp_ms: int | None
    headers: list[tuple[str, dict[str, str] | None]]

    def record(self) -> LogRecord:
        return LogRecord(
            self.topic,
            self.partition,
            self.offset,
            _from_json(self.key),
            _from_json(self.value),
            self.timestamp_ms,
            tuple((name, _from_json(value)) for name, value in self.headers),
        )


def _to_json(content: bytes | None) -> dict[str, str] | None:
    if content is None:
        return None
    try:
        return {"text": content.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode("ascii")}


def _from_json(data: Mapping[str, str] | None) -> bytes | None:
    if data is None:
        return None
    if "text" in data:
        return data["text"].encode("utf-8")
    return base64.b64decode(data["base64"], validate=True)


# Checking


def check_order(
    records: Sequence[LogRecord], sequence: Callable[[LogRecord], int] = sequence_of
) -> Checked:
    """Check whether records that were read are in order, per partition and per key.

    Offsets ascend within each partition, and the producer's own numbers within
    each key. Across partitions there is no order, so none is checked.

    Args:
        records: in the order of reading.
        sequence: the number that the producer gave a record, ascending per key.
    """
    by_partition = [
        ("disorder in a partition", f"{each.topic}-{each.partition}", each.offset)
        for each in records
    ]
    by_key = [
        ("disorder of a key", f"key {each.key!r} of {each.topic}", sequence(each))
        for each in records
        if each.key is not None
    ]
    latest: dict[str, int] = {}
    violations, compared = [], 0
    for name, where, number in by_partition + by_key:
        if where in latest:
            compared += 1
            if number <= latest[where]:
                text = f"expected more than {latest[where]} next, saw {number}"
                violations.append(Violation(name, where, text))
        latest[where] = number
    return Checked(tuple(violations), compared)


def progress(consumer: Consumer, *, limit: float = READ_LIMIT) -> list[Progress]:
    """Return positions beside committed offsets, for each partition that is assigned.

    Raises:
        KafkaException: the committed offsets did not come within the limit.
    """
    assigned: Iterable[TopicPartition] = sorted(consumer.assignment())
    places = [TopicPartition(each.topic, each.partition) for each in assigned]
    if not places:
        return []
    positions = consumer.position(places)
    committed = consumer.committed(places, timeout=limit)
    return [
        Progress(at.topic, at.partition, _offset(at.offset), _offset(kept.offset))
        for at, kept in zip(positions, committed, strict=True)
    ]


def _offset(offset: int) -> int | None:
    # Negative numbers are codes of the client: -1001 means that there is no offset.
    return offset if offset >= 0 else None
