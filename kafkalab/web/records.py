"""Records: publish by key, read a page of a log, count records, and find a key's partition."""

from __future__ import annotations

import base64
import binascii
import time
from binascii import crc32
from collections import defaultdict, deque
from itertools import groupby
from typing import Annotated, Any, Literal

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import OffsetSpec
from fastapi import APIRouter, Query
from pydantic import Field

from kafkalab.contracts import Place
from kafkalab.contracts.partition_log import LogRecord
from kafkalab.contracts.routing import KeyedRecord
from kafkalab.readable import shortened
from kafkalab.tasks.partition_log import as_data, bounds, read_by
from kafkalab.tasks.rebalance import log_offsets_by
from kafkalab.tasks.routing import (
    ANY_PARTITION,
    Sendable,
    crc32_partition,
    distribution,
    murmur2,
    murmur2_partition,
    send_by,
)
from kafkalab.web.clients import ANSWER_LIMIT, Kafka
from kafkalab.web.given import (
    Content,
    Header,
    OnKafka,
    PartitionInQuery,
    Strict,
    TopicInPath,
    Whole,
    content_of,
)
from kafkalab.web.problems import Problem, gone, responses
from kafkalab.web.topics import MOST_PARTITIONS, known

router = APIRouter(prefix="/api/kafka/topics/{name}", tags=["records"])

MOST_RECORDS = 1000
"""of one call"""
LARGEST_RECORD = 1_000_000
"""bytes of key, value and headers: what the client's own message.max.bytes leaves"""
LARGEST_PAGE = 4_000_000
"""bytes of keys, values and headers after which a page ends before its limit"""
MOST_COUNTED = 100_000
COUNT_LIMIT = 10.0
"""seconds"""
PUBLISH_LIMIT = 10.0
LONGEST_KEY = 1000
"""characters. In an address each may take twelve bytes, and the server reads 64 KB of a head."""

Partitioner = Literal[
    "consistent_random",
    "consistent",
    "murmur2_random",
    "murmur2",
    "fnv1a_random",
    "fnv1a",
    "random",
]

# The errors of a record that no broker has acknowledged in time.
UNANSWERED = ("_MSG_TIMED_OUT", "_PURGE_QUEUE", "_PURGE_INFLIGHT")


class NewRecord(Strict):
    """A record to publish."""

    key: Content | None = Field(None, description="null means no key; an empty key is a key")
    value: Content | None = Field(None, description="null is a tombstone in a compacted topic")
    headers: Annotated[list[Header], Field(max_length=100, default_factory=list)]
    partition: Annotated[Whole, Field(ge=0, le=2**31 - 1)] | None = Field(
        None, description="null: the partitioner decides, by the key"
    )

    def size(self) -> int:
        """Bytes of key, value and headers."""
        given = [self.key, self.value, *(value for _, value in self.headers)]
        names = sum(len(name.encode("utf-8")) for name, _ in self.headers)
        return names + sum(len(content_of(each) or b"") for each in given)

    def as_keyed(self, topic: str) -> KeyedRecord:
        """The record in the shape that the tasks take."""
        headers = tuple((name, content_of(value)) for name, value in self.headers)
        return KeyedRecord(topic, content_of(self.key), content_of(self.value), headers)


class Publishing(Strict):
    """Records to publish."""

    records: Annotated[list[NewRecord], Field(min_length=1, max_length=MOST_RECORDS)]
    partitioner: Partitioner = Field(
        "consistent_random",
        description="one of librdkafka's: consistent_random is its default, murmur2_random Java's",
    )


class Published(Strict):
    """Where a record landed, and where both hashes put its key."""

    partition: int | None
    offset: int | None
    crc32: int | None = Field(description="the partition by CRC32; null without a key")
    murmur2: int | None = Field(description="the partition by murmur2; null without a key")
    error: str | None


class Record(Strict):
    """A record as it stands in the log."""

    topic: str
    partition: int
    offset: int
    key: Content | None
    value: Content | None
    timestamp_ms: int | None
    headers: list[Header]


class Page(Strict):
    """A part of a partition's log."""

    records: list[Record]
    next_offset: int = Field(description="where the next page begins")
    start: int = Field(description="the log's first offset")
    end: int = Field(description="the offset after the last that can be read")
    gaps: list[tuple[int, int]] = Field(
        description="[from, to): offsets without a record for a reader. They belong to "
        "transaction markers, aborted records, or records that compaction removed"
    )


class Share(Strict):
    """How many records of a partition were counted."""

    partition: int
    records: int
    share: float


class Spread(Strict):
    """How records spread, counted by reading them."""

    topic: str
    records: int = Field(description="records that were read; end minus start would count gaps")
    is_all: bool = Field(description="false if the count ended at its limit")
    skew: float = Field(description="records of the fullest partition, divided by the mean")
    partitions: list[Share]


class Placement(Strict):
    """Where a key belongs."""

    partitions: int
    crc32: int = Field(description="the partition by librdkafka's default")
    murmur2: int = Field(description="the partition by Java's default")
    crc32_hash: int = Field(description="of 32 bits, without a sign")
    murmur2_hash: int = Field(description="of 32 bits, without a sign, as Kafka's client seeds it")


@router.post("/records", responses=responses(404))
def publish_records(name: TopicInPath, asked: Publishing, kafka: OnKafka) -> list[Published]:
    """Publish records by their keys; the answer comes when all are acknowledged, in their order."""
    kafka.require_may_change(name)
    for number, each in enumerate(asked.records):
        if each.size() > LARGEST_RECORD:
            raise Problem(
                413,
                f"records.{number} has {each.size()} bytes: {LARGEST_RECORD} is the most.",
                code="MSG_SIZE_TOO_LARGE",
            )
    partitions = len(known(kafka, name).partitions)
    for each in asked.records:
        _require_partition(name, each.partition or 0, partitions)
    answers = _published(kafka, name, asked, partitions)
    unanswered = [each for each in answers if each.error in UNANSWERED]
    if unanswered:
        raise gone(
            f"{len(unanswered)} of {len(answers)} records were not acknowledged within "
            f"{PUBLISH_LIMIT:.0f} s, and may be in the log nevertheless",
            unanswered[0].error or "",
        )
    return answers


@router.get("/records", responses=responses(404))
def read_page(
    name: TopicInPath,
    kafka: OnKafka,
    partition: PartitionInQuery = 0,
    offset: Annotated[int, Query(ge=0, le=2**63 - 1, description="where to begin")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_RECORDS, description="records at most")] = 100,
) -> Page:
    """A page of a partition's log, from an offset on; it joins no group and commits nothing.

    An offset before the log's start counts as the start; one behind its end counts as the end. A
    page of large records ends before its limit.
    """
    _require_partition(name, partition, len(known(kafka, name).partitions))
    with kafka.reader() as reader:
        start, end = bounds(reader, TopicPartition(name, partition), ANSWER_LIMIT)
        begin = min(max(offset, start), end)
        records, next_offset = _read(reader, (name, partition), begin, end, limit)
    gaps, expected = [], begin
    for each in records:
        if each.offset > expected:
            gaps.append((expected, each.offset))
        expected = each.offset + 1
    if next_offset > expected:
        gaps.append((expected, next_offset))
    return Page(
        records=[Record.model_validate(as_data(each)) for each in records],
        next_offset=next_offset,
        start=start,
        end=end,
        gaps=gaps,
    )


@router.get("/distribution", responses=responses(404))
def count_records(name: TopicInPath, kafka: OnKafka) -> Spread:
    """How the records spread over the partitions, counted by reading them."""
    partitions = [each.id for each in known(kafka, name).partitions]
    until = time.monotonic() + COUNT_LIMIT
    seen: list[int] = []
    places = [(name, each) for each in partitions]
    starts = log_offsets_by(kafka.admin, places, OffsetSpec.earliest(), ANSWER_LIMIT)  # type: ignore[no-untyped-call]
    ends = log_offsets_by(kafka.admin, places, OffsetSpec.latest(), ANSWER_LIMIT)  # type: ignore[no-untyped-call]
    spans = {}
    for place in places:
        start, end = starts[place], ends[place]
        if start is None or end is None:
            raise gone(f"partition {place[1]} of {name} has no leader that answers")
        spans[place] = (start, end)
    with kafka.reader() as reader:
        is_all = True
        for record in read_by(reader, spans, ANSWER_LIMIT):
            if len(seen) == MOST_COUNTED or time.monotonic() > until:
                is_all = False
                break
            seen.append(record.partition)
    found = distribution(seen, len(partitions))
    return Spread(
        topic=name,
        records=found.total,
        is_all=is_all,
        skew=found.skew,
        partitions=[
            Share(partition=number, records=count, share=share)
            for number, (count, share) in enumerate(zip(found.counts, found.shares, strict=True))
        ],
    )


@router.get("/placement", responses=responses(404))
def place_key(
    name: TopicInPath,
    kafka: OnKafka,
    key: Annotated[str | None, Query(max_length=LONGEST_KEY, description="as text")] = None,
    key_base64: Annotated[
        str | None, Query(max_length=LONGEST_KEY, description="as base64")
    ] = None,
    partitions: Annotated[
        int | None,
        Query(ge=1, le=MOST_PARTITIONS, description="as if it had this many: which keys move?"),
    ] = None,
) -> Placement:
    """Where both hashes put a key; by default with the topic's own number of partitions."""
    content = _key(key, key_base64)
    count = len(known(kafka, name).partitions) if partitions is None else partitions
    return Placement(
        partitions=count,
        crc32=crc32_partition(content, count),
        murmur2=murmur2_partition(content, count),
        crc32_hash=crc32(content),
        murmur2_hash=murmur2(content),
    )


def _published(kafka: Kafka, topic: str, asked: Publishing, partitions: int) -> list[Published]:
    """The outcome of each record, in their order."""
    answers: list[Published] = []
    with kafka.producers(asked.partitioner).lent() as producer:
        # The client refreshes its metadata every five minutes, and the topic may have grown since.
        producer.list_topics(topic, timeout=ANSWER_LIMIT)
        for partition, run in groupby(asked.records, lambda each: each.partition):
            sent = [each.as_keyed(topic) for each in run]
            place = ANY_PARTITION if partition is None else partition
            answers += _sent(producer, sent, place, partitions)
    return answers


def _sent(
    producer: Producer, sent: list[KeyedRecord], place: int, partitions: int
) -> list[Published]:
    """The outcome of records that go to one partition, or to the partition of their keys."""
    answers: list[Published | None] = [None] * len(sent)
    # A report has neither headers nor a number. Reports of records that differ only in headers
    # come in their order only if the records are sent one by one.
    waiting: dict[tuple[Any, Any], deque[int]] = defaultdict(deque)
    for number, record in enumerate(sent):
        waiting[_content(record)].append(number)
    one_by_one = len(waiting) < len(set(sent))

    def answer(
        content: Any, error: KafkaError | None, partition: int | None, offset: int | None
    ) -> None:
        number = waiting[content].popleft()
        key = sent[number].key
        answers[number] = Published(
            partition=partition if error is None else None,
            offset=offset if error is None else None,
            crc32=None if key is None else crc32_partition(key, partitions),
            murmur2=None if key is None else murmur2_partition(key, partitions),
            error=None if error is None else error.name(),
        )

    def on_delivery(error: KafkaError | None, message: Any) -> None:
        content = (message.key() or b"", message.value() or b"")
        answer(content, error, message.partition(), message.offset())

    def on_refusal(record: Sendable, error: KafkaError) -> None:
        answer(_content(record), error, None, None)

    send_by(producer, sent, on_delivery, on_refusal, one_by_one, PUBLISH_LIMIT, place)
    return [each for each in answers if each is not None]


def _content(record: Sendable) -> tuple[Any, Any]:
    """The part of a record that a report has too; a report shows null and empty alike."""
    return record.key or b"", record.value or b""


def _read(
    reader: Consumer, place: Place, begin: int, end: int, limit: int
) -> tuple[list[LogRecord], int]:
    """Records from an offset on, and where the next page begins."""
    records: list[LogRecord] = []
    size = 0
    for record in read_by(reader, {place: (begin, end)}, ANSWER_LIMIT):
        records.append(record)
        size += len(record.key or b"") + len(record.value or b"")
        size += sum(len(name) + len(value or b"") for name, value in record.headers)
        if len(records) == limit or size >= LARGEST_PAGE:
            return records, record.offset + 1
    # The rest, up to the end, holds no record.
    return records, end


def _require_partition(name: str, partition: int, count: int) -> None:
    if partition >= count:
        raise Problem(
            404,
            f"{shortened(name, 60)} has no partition {partition}: it has {count}, from 0 on.",
            code="UNKNOWN_TOPIC_OR_PART",
        )


def _key(text: str | None, given: str | None) -> bytes:
    if (text is None) == (given is None):
        raise Problem(422, "Name the key once: as key, or as key_base64.")
    try:
        return (
            (text or "").encode("utf-8")
            if given is None
            else base64.b64decode(given, validate=True)
        )
    except (binascii.Error, ValueError):
        raise Problem(422, "key_base64 is not base64, or key is not text.") from None
