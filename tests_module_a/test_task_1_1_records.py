"""Task 1.1: what does the broker do to records, and when does it take them away?"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, Consumer, Producer

from kafkalab.fixtures import ConsumerMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.log_cleaning import (
    CLEANING_LIMIT,
    COMPACT_SOON,
    DAY_MS,
    KEEP_FOR_EVER,
    LONG_AGO_MS,
    NEXT_SEGMENT_MS,
)
from kafkalab.observe.records import DeliveryReport, Record, read, send, watermarks
from kafkalab.waiting import wait_until

# What the broker does to records


TYPES = {TIMESTAMP_CREATE_TIME: "CreateTime", TIMESTAMP_LOG_APPEND_TIME: "LogAppendTime"}


def timestamp_rows(**stamps: tuple[int, int]) -> list[dict[str, object]]:
    """Timestamps with their types and dates, as rows of evidence."""
    return [
        {
            "timestamp": name,
            "type": TYPES[kind],
            "milliseconds": each,
            "date": datetime.fromtimestamp(each / 1000, UTC).date().isoformat(),
        }
        for name, (kind, each) in stamps.items()
    ]


GIVEN = (TIMESTAMP_CREATE_TIME, LONG_AGO_MS)


@pytest.mark.fact("whose-timestamp", scope="message.timestamp.type=LogAppendTime")
def test_log_append_time_replaces_the_timestamp(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With LogAppendTime the broker's clock replaces the timestamp that the producer gave."""
    name = topic(settings={"message.timestamp.type": "LogAppendTime", **KEEP_FOR_EVER})

    send(producer(), name, [Record(b"x", timestamp_ms=LONG_AGO_MS)])

    kind, seen = read(consumer(), name)[0].timestamp()
    evidence.table("Timestamp", timestamp_rows(given=GIVEN, read=(kind, seen)))
    assert kind == TIMESTAMP_LOG_APPEND_TIME, "The timestamp says that it is the broker's."
    assert seen - LONG_AGO_MS > DAY_MS, "The record has the time at which it was appended."


@pytest.mark.control("whose-timestamp", changes="message.timestamp.type=CreateTime, the default")
def test_create_time_keeps_the_timestamp(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With CreateTime the record keeps the timestamp that the producer gave."""
    name = topic(settings={"message.timestamp.type": "CreateTime", **KEEP_FOR_EVER})

    send(producer(), name, [Record(b"x", timestamp_ms=LONG_AGO_MS)])

    kind, seen = read(consumer(), name)[0].timestamp()
    evidence.table("Timestamp", timestamp_rows(given=GIVEN, read=(kind, seen)))
    assert kind == TIMESTAMP_CREATE_TIME, "The timestamp says that it is the producer's."
    assert seen == LONG_AGO_MS, "The record has the time that the producer gave."


# 40 records of 500 bytes; noise does not become smaller by compression, letters do.
NOISE = [random.Random(number).randbytes(500) for number in range(40)]
LETTERS = [b"a" * 500] * 40


def told_of_batches(writer: Producer, topic: str) -> dict[str, list[str]]:
    """What the broker says of the noise and the letters, each error once, by what was sent."""
    # A producer that does not know the topic yet may hand records to it one by one, meanwhile.
    send(writer, topic, [b"first"])
    deliveries = {
        "40 records of noise, together": send(writer, topic, NOISE),
        "the same, one by one": [send(writer, topic, [each])[0] for each in NOISE],
        "40 records of one letter, together": send(writer, topic, LETTERS),
    }
    return {
        sent: sorted({each.error.name() if each.error else "taken" for each in told})
        for sent, told in deliveries.items()
    }


@pytest.mark.fact(
    "size-limit-is-the-compressed-batch",
    scope="librdkafka; Java's producer splits a refused batch, and tries again",
)
def test_the_size_limit_is_of_the_compressed_batch(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """`max.message.bytes` limits the batch as the producer sends it: many records, compressed.

    40 records of 500 bytes are 20 kB. Where the limit is 10 kB they pass if they
    become small enough by compression, or travel one by one. A topic with a
    compression.type of its own compresses again, and then the limit is of that, too.
    """
    name = topic(settings={"max.message.bytes": "10000"})

    told = told_of_batches(producer({"compression.type": "gzip", "linger.ms": 60_000}), name)

    evidence.table(
        "40 records of 500 bytes to a topic that limits its batches to 10,000 bytes; gzip",
        [{"sent": sent, "answers": answers} for sent, answers in told.items()],
        look="No record is too large by itself, nor are so many bytes. Only the batch is, where "
        "compression does not help.",
    )
    assert told == {
        "40 records of noise, together": ["MSG_SIZE_TOO_LARGE"],
        "the same, one by one": ["taken"],
        "40 records of one letter, together": ["taken"],
    }, "Only the batch that compression leaves large is refused, all its records with it."


@pytest.mark.control("size-limit-is-the-compressed-batch", changes="compression.type=none")
def test_uncompressed_letters_are_as_large_as_noise(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Without compression 40 records of one letter are refused, as noise is."""
    name = topic(settings={"max.message.bytes": "10000"})

    told = told_of_batches(producer({"compression.type": "none", "linger.ms": 60_000}), name)

    evidence.table(
        "40 records of 500 bytes to a topic that limits its batches to 10,000 bytes; none",
        [{"sent": sent, "answers": answers} for sent, answers in told.items()],
    )
    assert told == {
        "40 records of noise, together": ["MSG_SIZE_TOO_LARGE"],
        "the same, one by one": ["taken"],
        "40 records of one letter, together": ["MSG_SIZE_TOO_LARGE"],
    }, "Both batches of 20 kB are refused."


@pytest.mark.fact("one-bad-record-fails-its-batch", scope="any client that batches")
def test_one_bad_record_fails_its_batch(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """If the broker refuses one record, the whole batch fails.

    A compacted topic takes no record without a key. The other records of the
    batch had nothing wrong.
    """
    name = topic(settings={"cleanup.policy": "compact"})
    records = [Record(b"1", key=b"a"), Record(b"2"), Record(b"3", key=b"c")]
    writer = producer({"linger.ms": 60_000})
    # A producer that does not know the topic yet may hand records to it one by one, meanwhile.
    send(writer, name, [Record(b"0", key=b"first")])

    # A minute of lingering: all three are in one batch when the flush sends it.
    deliveries = send(writer, name, records)

    evidence.table(
        "Delivery reports",
        deliveries,
        ("key", "value", "partition", "offset", "error"),
        look="One record is bad, and all that were in its batch have the error.",
    )
    assert [each.error is not None for each in deliveries] == [True, True, True], (
        "All three records fail."
    )


@pytest.mark.control("one-bad-record-fails-its-batch", changes="each record is a batch of its own")
def test_in_batches_of_one_only_the_bad_record_fails(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """If each record is a batch of its own, only the record without a key fails."""
    name, writer = topic(settings={"cleanup.policy": "compact"}), producer()
    records = [Record(b"1", key=b"a"), Record(b"2"), Record(b"3", key=b"c")]

    deliveries = [send(writer, name, [record])[0] for record in records]

    evidence.table(
        "Delivery reports",
        deliveries,
        ("key", "value", "partition", "offset", "error"),
        look="Only the record without a key has an error; the others have offsets.",
    )
    assert [each.error is not None for each in deliveries] == [False, True, False], (
        "Only the record without a key fails."
    )


# How a log is cleaned


CHANGES_OF_A_TABLE = [
    Record(b"old", key=b"a", timestamp_ms=LONG_AGO_MS),
    Record(b"old", key=b"b", timestamp_ms=LONG_AGO_MS),
    Record(b"new", key=b"a", timestamp_ms=LONG_AGO_MS),
    Record(None, key=b"b", timestamp_ms=LONG_AGO_MS),
    Record(b"1", key=b"z", timestamp_ms=LONG_AGO_MS + NEXT_SEGMENT_MS),
    Record(b"2", key=b"z", timestamp_ms=LONG_AGO_MS + NEXT_SEGMENT_MS),
]


def kept_rows(written: list[DeliveryReport], kept: list[int | None]) -> list[dict[str, object]]:
    """Written records and whether each is still there, as rows of evidence."""
    return [
        {"offset": w.offset, "key": w.key, "value": w.value, "kept": w.offset in kept}
        for w in written
    ]


@pytest.mark.fact("compaction-keeps-the-newest", scope="cleanup.policy=compact, closed segments")
@pytest.mark.needs("quick_compaction")
def test_compaction_keeps_the_newest_of_each_key(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Compaction keeps the newest record of each key, and a record without a value deletes its key.

    The newest is the one with the highest offset, whatever its timestamp says.
    Offsets then have gaps. Compaction leaves the active segment alone, so both
    records of `z` stay. A record without a value, called a tombstone, stays for
    a time, too.
    """
    name, writer, reader = topic(settings=COMPACT_SOON), producer(), consumer()

    written = [send(writer, name, [record])[0] for record in CHANGES_OF_A_TABLE]

    kept = wait_until(
        lambda: [(each.offset(), each.key(), each.value()) for each in read(reader, name)],
        lambda seen: len(seen) < len(written),
        limit=CLEANING_LIMIT,
        what="compaction to take records out",
    )
    evidence.table(
        "Written and kept",
        kept_rows(written, [offset for offset, _, _ in kept]),
        look="The old records of a and b are gone; that of b without a value stays, to say that "
        "b was deleted. The two of z are in the active segment, which is left alone.",
    )
    assert (2, b"a", b"new") in kept, "The newest record of key a is kept."
    assert [value for _, key, value in kept if key == b"a"] == [b"new"], (
        "No older record of key a is kept."
    )
    assert [value for _, key, value in kept if key == b"b" and value] == [], (
        "No value of key b is kept, as b was deleted."
    )
    assert [offset for offset, key, _ in kept if key == b"z"] == [4, 5], (
        "Both records of key z are kept, as the active segment is not compacted."
    )


@pytest.mark.control(
    "compaction-keeps-the-newest", changes="cleanup.policy=delete, with nothing too old for it"
)
@pytest.mark.needs("quick_compaction")
def test_without_compaction_all_records_stay(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With `cleanup.policy=delete` a topic keeps every record while a compacted one loses some."""
    writer, reader, compacted = producer(), consumer(), topic(settings=COMPACT_SOON)
    plain = topic(settings={**COMPACT_SOON, "cleanup.policy": "delete", **KEEP_FOR_EVER})

    written = [
        send(writer, name, [record])[0]
        for record in CHANGES_OF_A_TABLE
        for name in (plain, compacted)
    ][::2]
    wait_until(
        lambda: read(reader, compacted)[0].offset(),
        lambda first: first != 0,
        limit=CLEANING_LIMIT,
        what="the compacted twin to lose offset 0",
    )

    kept = [each.offset() for each in read(reader, plain)]
    evidence.table("Written and kept", kept_rows(written, kept))
    assert kept == [0, 1, 2, 3, 4, 5], "The plain topic has lost no record."


FIVE_SEGMENTS = [
    Record(b"x" * 1000, timestamp_ms=LONG_AGO_MS + number * NEXT_SEGMENT_MS) for number in range(5)
]


@pytest.mark.fact("retention-by-time-and-size", scope="cleanup.policy=delete")
@pytest.mark.parametrize(
    ("limit", "start"),
    [({"retention.ms": "3600000"}, 5), ({"retention.ms": "-1", "retention.bytes": "2500"}, 2)],
    ids=["by time", "by size"],
)
@pytest.mark.needs("quick_retention")
def test_retention_drops_whole_segments(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    limit: dict[str, str],
    start: int,
) -> None:
    """Retention drops whole segments: all that are too old, and old ones beyond the size.

    By time all five segments are too old, and are dropped, the active one as
    well. The size is what stays at least: of five segments of 1,070 bytes a
    limit of 2,500 bytes keeps three. The next record gets the next offset in
    both cases.
    """
    name, writer, reader = topic(settings=limit), producer(), consumer()

    for record in FIVE_SEGMENTS:
        send(writer, name, [record])

    ends = wait_until(
        lambda: watermarks(reader, name),
        lambda seen: seen[0] >= start,
        limit=CLEANING_LIMIT,
        what=f"retention to drop {start} segments",
    )
    (following,) = send(writer, name, [b"young"])
    evidence.table(
        "Start and end offset after retention",
        [{"settings": limit, "start": ends[0], "end": ends[1]}],
        look="The start has moved over whole segments, one record each here.",
    )
    assert ends == (start, 5), "The start of the log has moved, and its end has not."
    assert following.offset == 5, "The next record gets the next offset."


@pytest.mark.control("retention-by-time-and-size", changes="retention.ms=-1 and no retention.bytes")
@pytest.mark.needs("quick_retention")
def test_without_limits_nothing_is_dropped(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If a topic has no limits, its old records stay; those of a topic with limits are dropped."""
    forever, limited = topic(settings=KEEP_FOR_EVER), topic()
    writer, reader = producer(), consumer()

    for record in FIVE_SEGMENTS:
        send(writer, forever, [record])
        send(writer, limited, [record])
    wait_until(
        lambda: watermarks(reader, limited),
        lambda seen: seen == (5, 5),
        limit=CLEANING_LIMIT,
        what="the twin to lose its expired records",
    )

    ends = {name: watermarks(reader, name) for name in (forever, limited)}
    evidence.table(
        "Start and end offset after retention",
        [
            {"settings": settings, "start": ends[name][0], "end": ends[name][1]}
            for name, settings in ((forever, KEEP_FOR_EVER), (limited, "the defaults"))
        ],
    )
    assert ends[forever] == (0, 5), "All five records are still there."


MINUTE_MS = 60 * 1000


# No record of the next hundred years closes it.
ONE_SEGMENT = {"segment.ms": f"{100 * 365 * DAY_MS}"}


def now_ms() -> int:
    """The time, as a producer gives it to a record."""
    return int(time.time() * 1000)


def let_retention_look(writer: Producer, reader: Consumer, twin: str) -> None:
    """Wait until retention has looked at every log: it takes two old records out of a twin.

    It goes through the logs in an order of its own. When it takes out the second record, which
    is written when the first is gone, it has been through all of them.
    """
    for _ in range(2):
        send(writer, twin, [Record(b"old", timestamp_ms=LONG_AGO_MS)])
        wait_until(
            lambda: watermarks(reader, twin),
            lambda ends: ends[0] == ends[1],
            limit=CLEANING_LIMIT,
            what="retention to drop an old record that is alone",
        )


@pytest.mark.fact("a-young-record-keeps-its-segment", scope="cleanup.policy=delete, retention.ms")
@pytest.mark.needs("quick_retention")
def test_a_young_record_keeps_its_segment(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If one record of a segment is young, retention keeps the old ones of the segment as well.

    So a log can hold much older records than `retention.ms` says: what was
    expired long ago can still be read.
    """
    mixed, old = topic(settings=ONE_SEGMENT), topic(settings=ONE_SEGMENT)
    writer, reader = producer(), consumer()

    # The young one first: an old one could be gone before it has company.
    send(writer, mixed, [Record(b"young", timestamp_ms=now_ms())])
    send(writer, mixed, [Record(b"old", timestamp_ms=LONG_AGO_MS)])
    let_retention_look(writer, reader, old)

    kept = {name: [each.value() for each in read(reader, name)] for name in (mixed, old)}
    evidence.table(
        "After retention",
        [
            {"written": written, "kept": kept[name]}
            for name, written in ((mixed, "young, old"), (old, "old, old"))
        ],
        look="Records that are as old stay in one topic, and are gone in the other, which has no "
        "young one.",
    )
    assert kept[mixed] == [b"young", b"old"], "The old record stays with the young one."


@pytest.mark.control("a-young-record-keeps-its-segment", changes="the young record is old as well")
@pytest.mark.needs("quick_retention")
def test_a_segment_of_old_records_goes(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If both records of a segment are old, both go."""
    name, writer, reader = topic(settings=ONE_SEGMENT), producer(), consumer()

    send(writer, name, [Record(b"as old", timestamp_ms=LONG_AGO_MS)])
    send(writer, name, [Record(b"old", timestamp_ms=LONG_AGO_MS)])

    ends = wait_until(
        lambda: watermarks(reader, name),
        lambda seen: seen[0] == seen[1],
        limit=CLEANING_LIMIT,
        what="retention to drop old records",
    )
    evidence.table("Start and end offset after retention", [{"start": ends[0], "end": ends[1]}])
    assert ends == (2, 2), "Neither record is there any more."


@pytest.mark.fact(
    "retention-goes-by-the-records-time",
    scope="message.timestamp.type=CreateTime (default), no younger record in the segment",
)
@pytest.mark.needs("quick_retention")
def test_retention_goes_by_the_records_time(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A record whose own time is old is acknowledged, and gone when retention looks next.

    If you copy old records into a topic with their old times, they are gone
    soon, and no error says so. Retention looks every 5 minutes by default
    (`log.retention.check.interval.ms`), and far more often here.
    """
    name, reader = topic(settings={"message.timestamp.type": "CreateTime"}), consumer()

    (delivery,) = send(producer(), name, [Record(b"x", timestamp_ms=LONG_AGO_MS)])

    written = time.monotonic()
    ends = wait_until(
        lambda: watermarks(reader, name),
        lambda seen: seen[0] > 0,
        limit=CLEANING_LIMIT,
        what="retention to drop the record",
    )
    seconds = time.monotonic() - written
    evidence.table(
        "A record of 2024, sent now",
        [{"error": delivery.error, "offset": delivery.offset, "start": ends[0], "end": ends[1]}],
        look="The record has an offset and no error, and yet the log begins after it.",
    )
    evidence.number("gone after its acknowledgement", round(seconds, 2), "s")
    assert delivery.error is None, "The broker takes the record."
    assert ends == (1, 1), "The record is gone."


@pytest.mark.control("retention-goes-by-the-records-time", changes="LogAppendTime")
@pytest.mark.needs("quick_retention")
def test_by_the_brokers_clock_the_record_is_young(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With LogAppendTime the record is as old as its stay in the log, and retention keeps it."""
    name, twin = topic(settings={"message.timestamp.type": "LogAppendTime"}), topic()
    writer, reader = producer(), consumer()

    (delivery,) = send(writer, name, [Record(b"x", timestamp_ms=LONG_AGO_MS)])
    let_retention_look(writer, reader, twin)

    ends = watermarks(reader, name)
    evidence.table(
        "A record of 2024, sent now",
        [{"error": delivery.error, "offset": delivery.offset, "start": ends[0], "end": ends[1]}],
    )
    assert ends == (0, 1), "The record is still there."


Kept = list[tuple[int | None, bytes | None, bytes | None]]


def records_of(reader: Consumer, topic: str) -> Kept:
    """What is in the log: offset, key and value of each record."""
    return [(each.offset(), each.key(), each.value()) for each in read(reader, topic)]


def without(reader: Consumer, topic: str, offset: int) -> Kept:
    """What is in the log when compaction has taken out an offset."""
    wait_until(
        lambda: records_of(reader, topic),
        lambda seen: offset not in [each[0] for each in seen],
        limit=CLEANING_LIMIT,
        what=f"compaction to take out offset {offset}",
    )
    # A reader may have seen one segment as before, and the next one as after.
    return records_of(reader, topic)


def cleaned_twice(writer: Producer, reader: Consumer, topic: str, last: bytes | None) -> list[Kept]:
    """Write k twice, the second time with this value; what two rounds of compaction leave of k."""
    weeks: list[list[tuple[bytes, bytes | None]]] = [
        [(b"k", b"1"), (b"k", last)],
        [(b"z", b"1"), (b"z", b"2")],
        [(b"end", b"1")],
    ]
    left = []
    for week, written in enumerate(weeks):
        for key, value in written:
            at = LONG_AGO_MS + week * NEXT_SEGMENT_MS
            send(writer, topic, [Record(value, key, timestamp_ms=at)])
        if week:
            # The first record of the week before has been replaced by the second.
            kept = without(reader, topic, 2 * (week - 1))
            left.append([each for each in kept if each[1] == b"k"])
    return left


def left_rows(left: Sequence[Kept]) -> list[dict[str, object]]:
    """What each round of compaction left, as rows of evidence."""
    return [
        {
            "round of compaction": number,
            "offsets of k": [offset for offset, _, _ in kept],
            "values of k": [value for _, _, value in kept],
        }
        for number, kept in enumerate(left, 1)
    ]


# What a tombstone says is remembered for a day by default; a lesson does not wait for that.
FORGET_SOON = {**COMPACT_SOON, "delete.retention.ms": "0"}


@pytest.mark.fact("tombstone-is-a-record", scope="cleanup.policy=compact")
@pytest.mark.needs("quick_compaction")
def test_a_tombstone_is_a_record(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """To delete a key you write a record without a value: it has an offset, and is read like any.

    Compaction takes it out as well, once `delete.retention.ms` is over. A
    consumer that has not read it by then does not learn that the key was deleted.
    """
    name = topic(settings=FORGET_SOON)

    first, second = cleaned_twice(producer(), consumer(), name, None)

    evidence.table(
        "Key k was written with value 1, and then without a value",
        left_rows([first, second]),
        look="The first round takes out what the tombstone deletes, and leaves the tombstone. "
        "A later round takes out the tombstone.",
    )
    assert first == [(1, b"k", None)], "The tombstone is read, with its offset and without a value."
    assert second == [], "In the end no record of the key is left."


@pytest.mark.control("tombstone-is-a-record", changes="the value is empty, and not none")
@pytest.mark.needs("quick_compaction")
def test_an_empty_value_is_no_tombstone(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """An empty value deletes nothing: it is the newest value of its key, and stays."""
    name = topic(settings=FORGET_SOON)

    first, second = cleaned_twice(producer(), consumer(), name, b"")

    evidence.table(
        "Key k was written with value 1, and then with an empty one", left_rows([first, second])
    )
    assert first == [(1, b"k", b"")], "The empty value is read."
    assert second == [(1, b"k", b"")], "It is still there after the next round."


ROLL_SOON = {**COMPACT_SOON, "segment.ms": f"{MINUTE_MS}"}
BOTH_POLICIES = {**ROLL_SOON, "cleanup.policy": "compact,delete"}


OF_2024 = [
    Record(b"1", b"left", timestamp_ms=LONG_AGO_MS),
    Record(b"1", b"renewed", timestamp_ms=LONG_AGO_MS),
    Record(b"2", b"renewed", timestamp_ms=LONG_AGO_MS),
]


def renewed(*values: bytes) -> list[Record]:
    """Records of ten minutes ago, of a key that was written in 2024 as well."""
    return [Record(each, b"renewed", timestamp_ms=now_ms() - 10 * MINUTE_MS) for each in values]


def write_one_by_one(writer: Producer, topic: str, records: Sequence[Record]) -> None:
    """Write each record as a batch of its own, so that a much younger one begins a segment."""
    for record in records:
        send(writer, topic, [record])


def pairs_of(reader: Consumer, topic: str) -> list[str]:
    """What is in the log, as key=value."""
    return [f"{(k or b'').decode()}={(v or b'').decode()}" for _, k, v in records_of(reader, topic)]


AGES = "left=1, renewed=1 and renewed=2 are of 2024; the others of the last ten minutes"


@pytest.mark.fact("compact-and-delete", scope="cleanup.policy=compact,delete")
@pytest.mark.needs("quick_compaction", "quick_retention")
def test_with_both_policies_a_key_that_is_not_renewed_goes(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With `cleanup.policy=compact,delete` a key goes if it is not renewed in time.

    Compaction keeps the newest record of each key, and retention drops it when
    its segment is too old: the topic is a table of what was renewed lately. It
    may last longer: compaction can join small segments, an old one to a young
    one, and then the young one keeps both.
    """
    name, reader = topic(settings=BOTH_POLICIES), consumer()

    write_one_by_one(producer(), name, [*OF_2024, *renewed(b"3")])

    _, kept = wait_until(
        lambda: (watermarks(reader, name)[0], pairs_of(reader, name)),
        lambda seen: seen[0] >= len(OF_2024),
        limit=CLEANING_LIMIT,
        what="retention to drop the segment of 2024",
    )
    evidence.table(AGES, [{"cleanup.policy": "compact,delete", "kept": kept}])
    assert kept == ["renewed=3"], "The key that was not renewed is gone."


@pytest.mark.control("compact-and-delete", changes="cleanup.policy=compact")
@pytest.mark.needs("quick_compaction", "quick_retention")
def test_by_compaction_alone_each_key_stays(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With `compact` alone the newest record of each key stays, however old it is."""
    name, twin = topic(settings=ROLL_SOON), topic(settings=BOTH_POLICIES)
    writer, reader = producer(), consumer()

    write_one_by_one(writer, name, [*OF_2024, *renewed(b"3")])

    # Written last, it shows that retention has looked.
    write_one_by_one(writer, twin, [*OF_2024, *renewed(b"3")])
    kept, _ = wait_until(
        lambda: (pairs_of(reader, name), watermarks(reader, twin)[0]),
        lambda seen: "renewed=1" not in seen[0] and seen[1] >= len(OF_2024),
        limit=CLEANING_LIMIT,
        what="compaction, and retention of the twin",
    )
    evidence.table(AGES, [{"cleanup.policy": "compact", "kept": kept}])
    assert kept == ["left=1", "renewed=2", "renewed=3"], (
        "The old key is still there, with its newest record."
    )


AN_HOUR = {"min.compaction.lag.ms": f"{60 * MINUTE_MS}"}
NO_LAG = {"min.compaction.lag.ms": "0"}

# While a log is cleaned, a reader may see some of it as before, and some as after.
REPLACED = {"renewed=1", "renewed=2", "renewed=3"}


def clean_a_twin(writer: Producer, reader: Consumer, twin: str) -> None:
    """Write the same to a twin that has no lag, and wait until compaction has cleaned it."""
    end = Record(b"1", b"end", timestamp_ms=now_ms())
    write_one_by_one(writer, twin, [*OF_2024, *renewed(b"3", b"4"), end])
    wait_until(
        lambda: pairs_of(reader, twin),
        REPLACED.isdisjoint,
        limit=CLEANING_LIMIT,
        what="compaction of the twin",
    )


@pytest.mark.fact("min-compaction-lag", scope="cleanup.policy=compact, min.compaction.lag.ms")
@pytest.mark.needs("quick_compaction")
def test_a_young_record_is_not_compacted(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With `min.compaction.lag.ms` compaction leaves records alone that are younger than that.

    So a reader that is never further behind sees every change, and not only the
    last. A segment with one such record is left alone as a whole.
    """
    name, twins = (
        topic(settings={**ROLL_SOON, **AN_HOUR}),
        [topic(settings=ROLL_SOON) for _ in range(2)],
    )
    writer, reader = producer(), consumer()
    end = Record(b"1", b"end", timestamp_ms=now_ms())

    write_one_by_one(writer, name, [*OF_2024, *renewed(b"3", b"4"), end])
    # Compaction takes the logs in an order of its own, and pauses only when all are clean: when
    # the second twin is clean, it has looked at this one.
    for twin in twins:
        clean_a_twin(writer, reader, twin)

    kept = pairs_of(reader, name)
    evidence.table(AGES, [{**AN_HOUR, "kept": kept}])
    assert kept == ["left=1", "renewed=2", "renewed=3", "renewed=4", "end=1"], (
        "Of 2024 the newest record of each key is left, and of the last hour every record."
    )


@pytest.mark.control("min-compaction-lag", changes="min.compaction.lag.ms=0, the default")
@pytest.mark.needs("quick_compaction")
def test_without_a_lag_a_young_record_is_compacted(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Without a lag a closed segment is compacted, however young its records are."""
    name, reader = topic(settings={**ROLL_SOON, **NO_LAG}), consumer()
    end = Record(b"1", b"end", timestamp_ms=now_ms())

    write_one_by_one(producer(), name, [*OF_2024, *renewed(b"3", b"4"), end])

    kept = wait_until(
        lambda: pairs_of(reader, name),
        REPLACED.isdisjoint,
        limit=CLEANING_LIMIT,
        what="compaction of the young segment",
    )
    evidence.table(AGES, [{**NO_LAG, "kept": kept}])
    assert kept == ["left=1", "renewed=4", "end=1"], "Of each key only the newest record is left."
