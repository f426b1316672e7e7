"""Task 1.3: what does a consumer see, and what does it remember?

These are facts about Kafka: they use plain clients and hold whatever you write. More
follow in test_task_1_3_groups.py, and those about the component in
test_task_1_3_component.py.
"""

from __future__ import annotations

import json
import time
from binascii import crc32
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from kafkalab.brokers import Broker, Termination
from kafkalab.demo import user_events
from kafkalab.fixtures import ConsumerMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.groups import CLASSIC_AND_KIP_848, join
from kafkalab.observe.log_cleaning import (
    CLEANING_LIMIT,
    COMPACT_SOON,
    KEEP_FOR_EVER,
    LONG_AGO_MS,
    NEXT_SEGMENT_MS,
)
from kafkalab.observe.records import (
    BY_KEY,
    KNOWS_ENDS,
    SENTINEL,
    TEN,
    DeliveryReport,
    Record,
    end_transaction,
    error_of,
    events_until,
    init_transactions,
    poll_until,
    read,
    send,
    transaction,
    transactional,
    values_to_end,
    values_until,
    wait_for_end,
    wait_for_error,
    watermarks,
)
from kafkalab.observe.topics import grow, wait_until_leaders_answer
from kafkalab.waiting import wait_until

# What stands in a log


@pytest.mark.fact("offsets-ascend-without-gaps", scope="no transactions, no compaction")
def test_offsets_ascend_without_gaps(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """In a partition without transactions and compaction offsets ascend by one, without gaps."""
    name = topic()

    send(producer(), name, [b"%d" % number for number in range(10)])

    offsets = [each.offset() for each in read(consumer(), name)]
    evidence.note("Offsets: {}", offsets)
    assert offsets == list(range(10)), "The offsets begin at 0 and ascend by one."


@pytest.mark.control("offsets-ascend-without-gaps", changes="the records are sent in transactions")
def test_transactions_leave_gaps(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Transactions leave gaps: their markers take offsets, and aborted records are not shown.

    So an offset is no count, and the end minus an offset is no number of
    records.
    """
    name = topic()
    writer = producer({"transactional.id": name})
    init_transactions(writer)

    for ends_well in (True, False, True):
        writer.begin_transaction()
        send(writer, name, [b"a", b"b"])
        end_transaction(writer, ends_well=ends_well)

    reader = consumer(KNOWS_ENDS)
    end = wait_for_end(reader, name, 9)
    offsets = [each.offset() for each in read(reader, name)]
    evidence.note(
        "Offsets: {}; the end offset is {} (each marker of a commit or an abort takes one offset)",
        offsets,
        end,
    )
    assert offsets == [0, 1, 6, 7], "Offsets 2, 5 and 8 are markers, and 3 and 4 were aborted."


def sequence(message: Message) -> int:
    """The number that the demo data gives each record of a key."""
    return int(json.loads(message.value() or b"")["sequence"])


@pytest.mark.fact("order-per-key", scope="one producer, no error, partitions stay")
def test_records_of_a_key_are_read_in_the_order_sent(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Records of one key, sent by one producer without an error, are read in the order sent.

    Between keys there is no order. After an error a producer may send a record
    again: the order is kept then only if it is idempotent, or has one request in
    flight at a time.
    """
    name, records = topic(partitions=3), user_events(users=3, per_user=10)
    sent = [Record(each.value, str(each.key).encode()) for each in records]

    send(producer(), name, sent, partition=BY_KEY)

    records_read = read(consumer(), name, 2, 0, 1)
    seen = [(each.key(), sequence(each)) for each in records_read]
    by_key = {key: [number for k, number in seen if k == key] for key, _ in seen}
    places = {each.key(): each.partition() for each in records_read}
    evidence.table(
        "As read, partition 2 first, then 0, then 1",
        [
            {"partition": partition, "key": key or "no record", "numbers": by_key.get(key)}
            for partition in (2, 0, 1)
            for key in [key for key in by_key if places[key] == partition] or [None]
        ],
    )
    assert len(seen) == 30, "All 30 records are read."
    assert by_key == {
        b"user-0": list(range(10)),
        b"user-1": list(range(10)),
        b"user-2": list(range(10)),
    }, "Each key's records come in the order of sending."


def numbered(key: bytes, start: int, end: int) -> list[Record]:
    """Records of one key that are numbered from start to before end."""
    return [Record(b"%d" % number, key) for number in range(start, end)]


@pytest.mark.control("order-per-key", changes="the topic grows between two halves")
def test_growing_in_between_breaks_the_order_of_a_key(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """If the topic grows between two halves of a key, a reader can get the second half first."""
    name, key = topic(partitions=3), b"user-2"
    before, after = crc32(key) % 3, crc32(key) % 6

    send(producer(), name, numbered(key, 0, 5), partition=BY_KEY)
    grow(admin, name, 6)
    send(producer(), name, numbered(key, 5, 10), partition=BY_KEY)

    numbers = [int(each.value() or b"") for each in read(consumer(), name, after, before)]
    evidence.note(
        "The numbers of one key, read from partition {} and then from {}: {}",
        after,
        before,
        numbers,
    )
    assert after != before, "The key has moved to another partition."
    assert numbers == [5, 6, 7, 8, 9, 0, 1, 2, 3, 4], (
        "The second half of the key's records is read first."
    )


@pytest.mark.fact("time-finds-an-offset", scope="any client")
@pytest.mark.parametrize(
    ("asked_ms", "offset"),
    [(0, 0), (400, 1), (1000, 1), (1400, 2), (2500, 3)],
    ids=["0 ms", "400 ms", "1000 ms", "1400 ms", "2500 ms"],
)
def test_a_time_finds_the_first_offset_that_is_not_older(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    asked_ms: int,
    offset: int,
) -> None:
    """A search by time finds the first offset whose record is of that time or later.

    First by offset: timestamps are the producer's and need not ascend. So a later
    record may be nearer to that time.
    """
    name = topic(settings=KEEP_FOR_EVER)
    times = (0, 1000, 2000, 3000, 500)
    send(producer(), name, [Record(b"x", timestamp_ms=LONG_AGO_MS + ms) for ms in times])

    asked = TopicPartition(name, 0, LONG_AGO_MS + asked_ms)
    (found,) = consumer().offsets_for_times([asked], timeout=20)

    evidence.table(
        f"offsets_for_times() was asked for {asked_ms} ms",
        [
            {"offset": at, "timestamp in ms": ms, "returned": at == found.offset}
            for at, ms in enumerate(times)
        ],
    )
    assert found.offset == offset, "The offset is that of the first record that is not older."


@pytest.mark.control("time-finds-an-offset", changes="the time is after all records")
def test_a_time_after_all_records_finds_none(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If all records are older, a search by time finds none; librdkafka gives -1 for that."""
    name = topic(settings=KEEP_FOR_EVER)
    send(producer(), name, [Record(b"x", timestamp_ms=LONG_AGO_MS)])

    (found,) = consumer().offsets_for_times([TopicPartition(name, 0, LONG_AGO_MS + 1)], timeout=20)

    evidence.note(
        "Asked for 1 ms more than the only record has, offsets_for_times() returned {}",
        found.offset,
    )
    assert found.offset == -1, "The offset is -1."


def commit_and_abort(writer: Producer, topic: str) -> None:
    """Write two records in a transaction that is aborted, and two in one that is committed."""
    init_transactions(writer)
    transaction(writer, topic, [b"a", b"b"], ends_well=False)
    transaction(writer, topic, [b"c", b"d"])


def compact_some_away(writer: Producer, topic: str) -> None:
    """Write a key three times, and close the segment, so that compaction leaves one of them."""
    for value in (b"1", b"2", b"3"):
        send(writer, topic, [Record(value, b"k", timestamp_ms=LONG_AGO_MS)])
    send(writer, topic, [Record(b"end", b"z", timestamp_ms=LONG_AGO_MS + NEXT_SEGMENT_MS)])


def count_row(reader: Consumer, topic: str, what: str) -> dict[str, object]:
    """Start and end of a log, and how many records a reader gets, as a row of evidence."""
    (start, end), records = watermarks(reader, topic), len(read(reader, topic))
    return {
        "log": what,
        "start": start,
        "end": end,
        "end - start": end - start,
        "records read": records,
    }


@pytest.mark.fact("end-minus-start-is-no-count", scope="transactions, compaction")
@pytest.mark.needs("quick_compaction")
def test_the_end_minus_the_start_is_no_count(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """The end minus the start of a log is no count of its records: it can be too large.

    Markers and aborted records take offsets, and so does what compaction has
    taken out. To know the count you have to read.
    """
    marked, compacted, reader = topic(), topic(settings=COMPACT_SOON), consumer()

    commit_and_abort(producer({"transactional.id": marked}), marked)
    compact_some_away(producer(), compacted)

    wait_for_end(reader, marked, 6)
    wait_until(
        lambda: len(read(reader, compacted)),
        lambda count: count < 4,
        limit=CLEANING_LIMIT,
        what="compaction to take records out",
    )
    rows = [
        count_row(reader, marked, "with transactions"),
        count_row(reader, compacted, "compacted"),
    ]
    evidence.table(
        "What a log holds",
        rows,
        look="The last two columns differ: offsets are not records.",
    )
    assert [(each["end - start"], each["records read"]) for each in rows] == [(6, 2), (4, 2)], (
        "There are fewer records than the end minus the start says."
    )


@pytest.mark.control("end-minus-start-is-no-count", changes="no transactions, no compaction")
def test_in_a_plain_log_it_is_the_count(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """In a plain log the end minus the start is the count, even if its beginning was deleted."""
    whole, cut, reader = topic(), topic(), consumer()
    for name in (whole, cut):
        send(producer(), name, [b"a", b"b", b"c", b"d"])
    next(iter(admin.delete_records([TopicPartition(cut, 0, 1)]).values())).result(20)

    rows = [count_row(reader, whole, "plain"), count_row(reader, cut, "plain, its start deleted")]

    evidence.table("What a log holds", rows)
    assert [(each["end - start"], each["records read"]) for each in rows] == [(4, 4), (3, 3)], (
        "There are as many records as the end minus the start says."
    )


def begin_three_ends(
    admin: AdminClient, producer: ProducerMaker, topic: str, leader: int, follower: int
) -> None:
    """Create a topic of one partition with a follower; write a record, and one that stays open."""
    replicas = [[leader, follower]]
    created = admin.create_topics([NewTopic(topic, 1, replica_assignment=replicas)])
    created[topic].result(20)
    wait_until_leaders_answer(admin, topic, 1)
    writer = transactional(producer, topic)
    send(producer(), topic, [b"plain"])
    writer.begin_transaction()
    send(writer, topic, [b"open"])


def ends_of(consumer: ConsumerMaker, topic: str, last: DeliveryReport) -> dict[str, int]:
    """The three ends of a log; the report of its last record tells the third."""
    return {
        "last stable offset": watermarks(consumer({"isolation.level": "read_committed"}), topic)[1],
        "high watermark": watermarks(consumer({"isolation.level": "read_uncommitted"}), topic)[1],
        "end of what is written": (-1 if last.offset is None else last.offset) + 1,
    }


@pytest.mark.fact("three-ends-of-a-log", scope="any client; two brokers")
@pytest.mark.cluster(brokers=2)
@pytest.mark.needs("restart")
def test_a_log_has_three_ends(
    private_broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """A log has three ends: what is decided, what all in-sync replicas have, and what is written.

    The first, the last stable offset, is where the earliest open transaction
    begins, if there is one: a reader of committed records reads to there. Other
    readers read to the second, the high watermark. What lies behind it some in-sync
    replica does not have yet; with acks=1 the leader may have acknowledged it.
    """
    (leader, follower), name = private_broker.node_ids, topic.name()
    begin_three_ends(admin, producer, name, leader, follower)

    # Until its session is over, the follower counts as in sync, though it copies nothing.
    private_broker.kill(follower, Termination.ABRUPT)
    (last,) = send(producer({"acks": 1}), name, [b"written"])

    ends = ends_of(consumer, name, last)
    evidence.table(
        "One record is plain, one is of an open transaction, and one is on the leader only",
        [{"end": end, "offset": offset} for end, offset in ends.items()],
        look="The leader has acknowledged a record that no reader can read yet.",
    )
    assert ends == {"last stable offset": 1, "high watermark": 2, "end of what is written": 3}, (
        "Each record lies between two of the ends."
    )


@pytest.mark.control("three-ends-of-a-log", changes="the follower lives")
@pytest.mark.cluster(brokers=2)
def test_with_a_live_follower_two_ends_meet(
    private_broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """If the follower keeps up, the high watermark soon is the end of what is written."""
    (leader, follower), name = private_broker.node_ids, topic.name()
    begin_three_ends(admin, producer, name, leader, follower)

    (last,) = send(producer({"acks": 1}), name, [b"written"])

    ends = wait_until(
        lambda: ends_of(consumer, name, last),
        lambda seen: seen["high watermark"] > 2,
        limit=20,
        what="the follower to have the last record",
    )
    evidence.table(
        "One record is plain, one is of an open transaction, and one was written after it",
        [{"end": end, "offset": offset} for end, offset in ends.items()],
    )
    assert ends == {"last stable offset": 1, "high watermark": 3, "end of what is written": 3}, (
        "The second end is where the third is."
    )


# What reading does, and does not


@pytest.mark.fact("reading-removes-nothing", scope="any client")
def test_each_group_reads_everything(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """Reading removes nothing: each group reads every record, and the log stays as it is."""
    name, writer = topic(), producer()
    send(writer, name, [b"a", b"b", b"c"])
    before = watermarks(consumer(), name)
    seen = {}

    for number in range(2):
        reader = consumer({"group.id": f"{group}-{number}"})
        reader.subscribe([name])
        polled = poll_until(reader, lambda records: len(records) == 3, what="three records")
        seen[number] = [each.value() for each in polled]
        reader.commit(asynchronous=False)

    after = watermarks(consumer(), name)
    evidence.table(
        "What each group read",
        [{"group": g, "values": v} for g, v in seen.items()],
        look="Both rows are alike: reading removes nothing, and groups do not disturb each other.",
    )
    assert seen == {0: [b"a", b"b", b"c"], 1: [b"a", b"b", b"c"]}, (
        "The second group reads as much as the first."
    )
    assert after == before == (0, 3), "The log has the same start and end as before."


@pytest.mark.control("reading-removes-nothing", changes="the second reader is of the same group")
def test_the_same_group_reads_it_once(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If a group has committed, its next reader goes on there, and gets only what is new."""
    name, writer, first = topic(), producer(), consumer()
    send(writer, name, [b"a", b"b", b"c"])
    first.subscribe([name])
    poll_until(first, lambda records: len(records) == 3, what="three records")
    first.commit(asynchronous=False)
    first.close()

    second = consumer()
    second.subscribe([name])
    send(writer, name, [SENTINEL])

    seen = values_until(second, SENTINEL)
    evidence.note("The second reader read, before the record that was sent last: {}", seen)
    assert seen == [], "Nothing comes again."


def read_by(consumer: Consumer, count: int) -> list[bytes]:
    """The values of so many records that one consumer polls."""
    polled = poll_until(consumer, lambda got: len(got) == count, what="its share of the records")
    return [each.value() or b"" for each in polled]


@pytest.mark.fact("a-group-splits-the-log", scope="any assignor, classic and KIP-848")
@pytest.mark.parametrize("protocol", CLASSIC_AND_KIP_848)
def test_members_of_a_group_split_the_log(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    protocol: str,
) -> None:
    """Two members of one group split a topic: each reads its own partitions, no record twice."""
    name = topic(partitions=4)
    members = [consumer(CLASSIC_AND_KIP_848[protocol]) for _ in range(2)]
    # First the partitions, then the records: else the first member could take all.
    join(members, name, partitions=4)

    for partition in range(4):
        send(producer(), name, [b"%d" % partition], partition=partition)

    seen = [read_by(member, 2) for member in members]
    evidence.table(
        "Who read what",
        [{"member": f"member-{m}", "values": v} for m, v in enumerate(seen, 1)],
        look="Each value is in one row only: the members share the work.",
    )
    assert sorted(seen[0] + seen[1]) == [b"0", b"1", b"2", b"3"], (
        "Together the members read all four records, none of them twice."
    )


@pytest.mark.control("a-group-splits-the-log", changes="the two are of different groups")
def test_two_groups_do_not_split_the_log(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """Two groups do not split a topic: the reader of each group reads all of it."""
    name = topic(partitions=4)
    readers = [consumer({"group.id": f"{group}-{number}"}) for number in range(2)]
    for reader in readers:
        join([reader], name, partitions=4)

    for partition in range(4):
        send(producer(), name, [b"%d" % partition], partition=partition)

    seen = [read_by(reader, 4) for reader in readers]
    evidence.table(
        "Who read what",
        [{"group": f"the one of member-{m}", "values": v} for m, v in enumerate(seen, 1)],
        look="Each value is in both rows: every group reads all.",
    )
    assert [sorted(each) for each in seen] == [[b"0", b"1", b"2", b"3"]] * 2, (
        "Each of the two groups reads all four records."
    )


@pytest.mark.fact("poll-none-is-not-the-end", scope="any client")
def test_poll_returning_nothing_is_not_the_end(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If `poll()` returns nothing, that is not the end: records can still be on their way.

    A reader that stops at the first empty poll() reads little, or nothing at
    all.
    """
    name, reader = topic(), consumer()
    send(producer(), name, [b"a", b"b", b"c"])

    reader.assign([TopicPartition(name, 0, 0)])
    first = reader.poll(0)
    later = poll_until(
        reader,
        lambda records: bool(records) and records[-1].value() == b"c",
        what="the last record",
    )

    evidence.table(
        "What poll() returned",
        [{"the first time": first, "later": [each.value() for each in later]}],
    )
    assert first is None, "The first poll() returns nothing, though three records are there."
    assert [each.value() for each in later] == [b"a", b"b", b"c"], (
        "Later calls return all three records."
    )


@pytest.mark.control("poll-none-is-not-the-end", changes="the client has to report ends")
def test_an_event_tells_the_end(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With `enable.partition.eof` an event says that the partition ends, and the next offset."""
    name, reader = topic(), consumer(KNOWS_ENDS)
    send(producer(), name, [b"a", b"b", b"c"])

    reader.assign([TopicPartition(name, 0, 0)])
    *records, end = events_until(reader, lambda events: len(events) == 4, what="four events")

    evidence.table(
        "Events", [{"offset": e.offset(), "error": error_of(e)} for e in (*records, end)]
    )
    error = error_of(end)
    assert [each.value() for each in records] == [b"a", b"b", b"c"], "The three records come first."
    assert error is not None, "An event comes after them."
    assert error.code() == KafkaError._PARTITION_EOF, "The event says that the partition ends."
    assert end.offset() == 3, "The event has the next offset."


# How long the broker may hold an answer back.
PATIENT = {"fetch.wait.max.ms": 1500}


def seconds_to_first(
    consumer: Consumer, topic: str, meanwhile: Callable[[], object] = lambda: None
) -> float:
    """Seconds from the first fetch to the first record; `meanwhile` is called in between."""
    # Asking for the watermarks connects the consumer, which is not to be measured.
    watermarks(consumer, topic)
    started = time.monotonic()
    consumer.assign([TopicPartition(topic, 0, 0)])
    meanwhile()
    poll_until(consumer, bool, what="the first record")
    return time.monotonic() - started


@pytest.mark.fact("fetch-waits-for-bytes", scope="any client; the broker does the waiting")
def test_a_fetch_waits_for_bytes(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With `fetch.min.bytes` the broker holds an answer back until it has so much, or time is up.

    `fetch.wait.max.ms` is that time (Java calls it `fetch.max.wait.ms`): the price
    of fewer, fuller answers.
    """
    name, writer, settings = topic(), producer(), {**PATIENT, "fetch.min.bytes": 100_000}
    send(writer, name, [b"small"])

    until_time_is_up = seconds_to_first(consumer(settings), name)
    until_it_has_so_much = seconds_to_first(
        consumer(settings), name, lambda: send(writer, name, [b"x" * 1000] * 200)
    )

    evidence.table(
        "Seconds to the first record, which was there from the beginning",
        [
            {**settings, "meanwhile": meanwhile, "seconds": round(seconds, 3)}
            for meanwhile, seconds in (
                ("nothing", until_time_is_up),
                ("200 kB are written", until_it_has_so_much),
            )
        ],
        look="The same record came late, and early when enough others had joined it.",
    )
    assert until_time_is_up > 1.4, "The record was there, and came only when the time was up."
    assert until_it_has_so_much < 1.4, "With enough bytes beside it the record came before."


@pytest.mark.control("fetch-waits-for-bytes", changes="fetch.min.bytes=1, the default")
def test_a_fetch_that_wants_one_byte_is_answered_at_once(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With the default of one byte the broker answers as soon as there is a record."""
    name, settings = topic(), {**PATIENT, "fetch.min.bytes": 1}
    send(producer(), name, [b"small"])

    seconds = seconds_to_first(consumer(settings), name)

    evidence.table(
        "Seconds to the first record, which was there from the beginning",
        [{**settings, "meanwhile": "nothing", "seconds": round(seconds, 3)}],
    )
    assert seconds < 1.4, "The record came before the time was up."


def take_one_of_ten(writer: Producer, reader: Consumer, topic: str) -> None:
    """Write ten records, and let the reader poll the first of them."""
    send(writer, topic, TEN)
    reader.assign([TopicPartition(topic, 0, 0)])
    poll_until(reader, bool, what="the first record")


@pytest.mark.fact("fetched-before-polled", scope="librdkafka; Java's client fetches ahead as well")
def test_a_client_holds_records_that_were_not_polled(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """The client holds records before you poll them: if they are deleted meanwhile, they come.

    `poll()` hands out what was fetched before, as it was then. The client tries
    to have `queued.min.messages` of a partition at hand, 100,000 by default.
    """
    name, writer, reader = topic(), producer(), consumer()
    take_one_of_ten(writer, reader, name)

    next(iter(admin.delete_records([TopicPartition(name, 0, 10)]).values())).result(20)
    log = watermarks(consumer(), name)
    send(writer, name, [SENTINEL])

    seen = values_until(reader, SENTINEL)
    evidence.table(
        "Ten records were written, the first was polled, then all were deleted",
        [{"start and end of the log": log, "read from then on": seen}],
        look="The log has none of them any more, and yet they come.",
    )
    assert log == (10, 10), "The log is empty."
    assert seen == TEN[1:], "The nine records that were not polled come all the same."


@pytest.mark.control("fetched-before-polled", changes="a seek drops what the client holds")
def test_a_seek_drops_what_the_client_holds(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """If you seek, even to where you stand, the client fetches anew: what is deleted is gone."""
    name, writer, reader = topic(), producer(), consumer()
    take_one_of_ten(writer, reader, name)

    next(iter(admin.delete_records([TopicPartition(name, 0, 10)]).values())).result(20)
    log = watermarks(consumer(), name)
    reader.seek(TopicPartition(name, 0, 1))
    send(writer, name, [SENTINEL])

    seen = values_until(reader, SENTINEL)
    evidence.table(
        "Ten records were written, the first was polled, then all were deleted",
        [{"start and end of the log": log, "read from then on": seen}],
    )
    assert log == (10, 10), "The log is empty."
    assert seen == [], "None of the nine records comes."


LARGE = b"x" * 200_000


@pytest.mark.fact("max-bytes-is-no-wall", scope="any client; since KIP-74")
def test_a_record_larger_than_the_fetch_limit_comes(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A record that is larger than `max.partition.fetch.bytes` comes all the same.

    The broker answers with at least one batch, else a reader would hang before
    it for ever. So the limit does not guard a consumer's memory against large
    records.
    """
    name, limit = topic(), 1000
    reader = consumer({"max.partition.fetch.bytes": limit})
    (delivery,) = send(producer(), name, [LARGE])

    reader.assign([TopicPartition(name, 0, 0)])
    (record,) = poll_until(reader, bool, what="the large record")

    size = len(record.value() or b"")
    evidence.table(
        "A record of 200,000 bytes",
        [{"max.partition.fetch.bytes": limit, "error": delivery.error, "bytes read": size}],
        look="200 times as much as the limit came in one piece.",
    )
    assert size == len(LARGE), "The whole record comes."
    assert size > limit, "It is larger than what may be fetched of a partition."


@pytest.mark.control("max-bytes-is-no-wall", changes="the limit is the topic's max.message.bytes")
def test_the_topics_limit_is_a_wall(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A record that is larger than the topic's `max.message.bytes` is refused."""
    settings = {"max.message.bytes": "1000"}
    name, reader = topic(settings=settings), consumer()
    (delivery,) = send(producer(), name, [LARGE])

    log = watermarks(reader, name)

    evidence.table(
        "A record of 200,000 bytes",
        [{**settings, "error": delivery.error, "start and end of the log": log}],
    )
    assert delivery.error is not None, "The broker refuses the record."
    assert delivery.error.code() == KafkaError.MSG_SIZE_TOO_LARGE, (
        "The error says that the record is too large."
    )
    assert log == (0, 0), "The log has no record."


@pytest.mark.fact("pause-silences-one-partition", scope="any client")
def test_a_paused_partition_is_silent_and_others_flow(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If a partition is paused, its records do not come, and those of other partitions do.

    The consumer still owns it. So one partition can wait while the consumer
    stays in its group.
    """
    name, reader, writer = topic(partitions=2), consumer(), producer()
    reader.assign([TopicPartition(name, partition, 0) for partition in (0, 1)])

    reader.pause([TopicPartition(name, 0)])
    send(writer, name, [b"paused"], partition=0)
    send(writer, name, [b"flowing", SENTINEL], partition=1)

    seen = values_until(reader, SENTINEL)
    evidence.table(
        "Sent while partition 0 is paused, and read",
        [
            {"partition": partition, "value": value, "read": value in seen}
            for partition, value in enumerate((b"paused", b"flowing"))
        ],
    )
    assert seen == [b"flowing"], "Only the other partition's record comes."


@pytest.mark.control("pause-silences-one-partition", changes="the partition is resumed")
def test_a_resumed_partition_has_lost_nothing(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If a paused partition is resumed, its records come from where it was: nothing is lost."""
    name, reader, writer = topic(partitions=2), consumer(), producer()
    reader.assign([TopicPartition(name, partition, 0) for partition in (0, 1)])
    reader.pause([TopicPartition(name, 0)])
    send(writer, name, [b"paused 1", b"paused 2"], partition=0)
    send(writer, name, [SENTINEL], partition=1)
    values_until(reader, SENTINEL)

    reader.resume([TopicPartition(name, 0)])

    polled = poll_until(reader, lambda records: len(records) == 2, what="the paused records")
    evidence.note("After resuming: {}", [each.value() for each in polled])
    assert [each.value() for each in polled] == [b"paused 1", b"paused 2"], (
        "Both records of the paused partition come."
    )


@pytest.mark.fact("seek-replays", scope="any client; the partition must be assigned")
def test_seeking_reads_again(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If you seek to an offset, you read again from there; you can seek only what is assigned."""
    name, reader, writer = topic(), consumer(), producer()
    send(writer, name, [b"a", b"b", b"c"])
    reader.assign([TopicPartition(name, 0, 0)])
    poll_until(reader, lambda records: len(records) == 3, what="three records")

    reader.seek(TopicPartition(name, 0, 1))
    send(writer, name, [SENTINEL])

    seen = values_until(reader, SENTINEL)
    with pytest.raises(KafkaException) as refused:
        consumer().seek(TopicPartition(name, 0, 1))
    evidence.note("After seek() to 1, read before the record that was sent last: {}", seen)
    evidence.note("seek() of a partition that is not assigned: {}", refused.value.args[0])
    assert seen == [b"b", b"c"], "The records come again from offset 1 on."
    assert refused.value.args[0].code() == KafkaError._UNKNOWN_PARTITION, (
        "The error says that the consumer does not have this partition."
    )


@pytest.mark.control("seek-replays", changes="there is no seek")
def test_without_a_seek_nothing_comes_again(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Without a seek a consumer goes on: what it has read does not come again."""
    name, reader, writer = topic(), consumer(), producer()
    send(writer, name, [b"a", b"b", b"c"])
    reader.assign([TopicPartition(name, 0, 0)])
    poll_until(reader, lambda records: len(records) == 3, what="three records")

    send(writer, name, [SENTINEL])

    seen = values_until(reader, SENTINEL)
    evidence.note("Read up to the record that was sent last: {}", seen)
    assert seen == [], "Nothing comes again."


def seek_and_read(reader: Consumer, topic: str, offset: int) -> list[bytes | None]:
    """The values that a reader of a partition gets after a seek, up to the end of the log."""
    reader.assign([TopicPartition(topic, 0, 0)])
    wait_for_error(reader, KafkaError._PARTITION_EOF)
    reader.seek(TopicPartition(topic, 0, offset))
    return values_to_end(reader)


@pytest.mark.fact("seek-outside-resets", scope="any client, earliest and latest")
@pytest.mark.parametrize(("reset", "values"), [("earliest", [b"a", b"b", b"c"]), ("latest", [])])
def test_a_seek_outside_the_log_resets(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    reset: str,
    values: list[bytes],
) -> None:
    """If you seek to an offset outside the log, no error comes: `auto.offset.reset` decides.

    `seek()` itself asks nobody. The broker refuses the next fetch, and the
    client begins anew where the setting says.
    """
    name, reader = topic(), consumer({**KNOWS_ENDS, "auto.offset.reset": reset})
    send(producer(), name, [b"a", b"b", b"c"])

    seen = seek_and_read(reader, name, 999)

    log = watermarks(reader, name)
    evidence.table(
        "After seek() to 999",
        [{"start and end of the log": log, "auto.offset.reset": reset, "values read": seen}],
    )
    assert seen == values, "The reader goes on where auto.offset.reset says."


@pytest.mark.control("seek-outside-resets", changes="the seek is to the last record")
@pytest.mark.parametrize("reset", ["earliest", "latest"])
def test_a_seek_inside_the_log_goes_there(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    reset: str,
) -> None:
    """If you seek to an offset inside the log, you read from there, whatever the setting says."""
    name, reader = topic(), consumer({**KNOWS_ENDS, "auto.offset.reset": reset})
    send(producer(), name, [b"a", b"b", b"c"])

    seen = seek_and_read(reader, name, 2)

    log = watermarks(reader, name)
    evidence.table(
        "After seek() to 2",
        [{"start and end of the log": log, "auto.offset.reset": reset, "values read": seen}],
    )
    assert seen == [b"c"], "The reader gets the record at that offset."
