"""Task 1.3: what does a consumer see, and what does it remember?

Facts about Kafka come first: they use plain clients and hold whatever you
write. Facts about the component follow: they judge the reader, the log line,
the order check and the progress, kafkalab's own or, with `--kafkalab-solutions`, yours.
"""

from __future__ import annotations

import json
import time
from binascii import crc32
from collections.abc import Iterator, Sequence

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kafkalab.brokers import Broker
from kafkalab.contracts.partition_log import LogRecord
from kafkalab.demo import user_events
from kafkalab.fixtures import ConsumerMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.groups import commit_offset, committed_offset, describe_group, join
from kafkalab.observe.records import (
    BY_KEY,
    KNOWS_ENDS,
    Record,
    end_transaction,
    error_of,
    events_until,
    init_transactions,
    poll_until,
    read,
    send,
    values_until,
    wait_for_end,
    wait_for_error,
    watermarks,
)
from kafkalab.observe.topics import grow
from kafkalab.solutions import Solutions
from kafkalab.waiting import wait_until

# A loaded machine is slow, which says nothing about the code.
AT_ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Written last: when it was read, all that was written before it was read, or never will be.
SENTINEL = b"sentinel"

# The two ways to form a group. A classic member learns of a change with its next heartbeat,
# which the default would send after 3 s; under KIP-848 the broker sets the pace.
CLASSIC = {"group.protocol": "classic", "heartbeat.interval.ms": 100}
KIP_848 = {"group.protocol": "consumer"}

# 2024-01-01, in milliseconds: any moment in the past would do.
LONG_AGO_MS = 1_704_067_200_000
# Records of long ago are beyond the default retention of a week.
KEEP_FOR_EVER = {"retention.ms": "-1"}


# What stands in a log


@pytest.mark.fact("offsets-ascend-without-gaps", scope="no transactions, no compaction")
def test_offsets_ascend_without_gaps(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """In a plain partition offsets ascend by one, without gaps."""
    name = topic()

    send(producer(), name, [b"%d" % number for number in range(10)])

    offsets = [each.offset() for each in read(consumer(), name)]
    evidence.note("Offsets: {}", offsets)
    assert offsets == list(range(10)), "from 0, by one"


@pytest.mark.control("offsets-ascend-without-gaps", changes="the records are sent in transactions")
def test_transactions_leave_gaps(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Transactions leave gaps: their markers take offsets, and aborted records are not shown.

    So an offset is no count, and the end minus an offset no number of records.
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
    assert offsets == [0, 1, 6, 7], "2, 5 and 8 are markers, 3 and 4 were aborted"


@pytest.mark.fact("order-per-key", scope="one producer, no error, partitions stay")
def test_records_of_a_key_are_read_in_the_order_sent(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Records of one key, sent by one producer without an error, are read in the order sent.

    Between keys there is no order to rely on. After a broker's error a producer
    may send again, and only an idempotent one keeps the order then.
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
    assert len(seen) == 30, "all records were read"
    assert by_key == {
        b"user-0": list(range(10)),
        b"user-1": list(range(10)),
        b"user-2": list(range(10)),
    }, "each key in the order of sending"


@pytest.mark.control("order-per-key", changes="the topic grows between two halves")
def test_growing_in_between_breaks_the_order_of_a_key(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """When the topic grows between two halves of a key, they can be read in either order."""
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
    assert after != before, "the key moved"
    assert numbers == [5, 6, 7, 8, 9, 0, 1, 2, 3, 4], "the second half was read first"


@pytest.mark.fact("time-finds-an-offset", scope="any client")
@pytest.mark.parametrize(
    ("asked_ms", "offset"),
    [(0, 0), (1000, 1), (1001, 2), (2500, 3)],
    ids=["0 ms", "1000 ms", "1001 ms", "2500 ms"],
)
def test_a_time_finds_the_first_offset_that_is_not_older(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    asked_ms: int,
    offset: int,
) -> None:
    """A time finds the first offset whose record is of that time or later.

    First by offset: timestamps are the producer's and need not ascend.
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
    assert found.offset == offset


@pytest.mark.control("time-finds-an-offset", changes="the time is after all records")
def test_a_time_after_all_records_finds_none(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A time after all records finds no offset: -1, which stands for the end."""
    name = topic(settings=KEEP_FOR_EVER)
    send(producer(), name, [Record(b"x", timestamp_ms=LONG_AGO_MS)])

    (found,) = consumer().offsets_for_times([TopicPartition(name, 0, LONG_AGO_MS + 1)], timeout=20)

    evidence.note(
        "Asked for 1 ms more than the only record has, offsets_for_times() returned {}",
        found.offset,
    )
    assert found.offset == -1


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
    assert seen == {0: [b"a", b"b", b"c"], 1: [b"a", b"b", b"c"]}, "the second as much as the first"
    assert after == before == (0, 3), "and nothing is gone"


@pytest.mark.control("reading-removes-nothing", changes="the second reader is of the same group")
def test_the_same_group_reads_it_once(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """The same group goes on where it committed: its next reader gets only what is new."""
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
    assert seen == [], "nothing comes again"


@pytest.mark.fact("a-group-splits-the-log", scope="any assignor, classic and KIP-848")
@pytest.mark.parametrize("protocol", [CLASSIC, KIP_848], ids=["classic", "KIP-848"])
def test_members_of_a_group_split_the_log(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
    protocol: dict[str, object],
) -> None:
    """Two members of one group split a topic: each reads its own partitions, no record twice."""
    name = topic(partitions=4)
    members = [consumer(protocol) for _ in range(2)]
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
    assert sorted(seen[0] + seen[1]) == [b"0", b"1", b"2", b"3"], "together all, none twice"


@pytest.mark.control("a-group-splits-the-log", changes="the two are of different groups")
def test_two_groups_do_not_split_the_log(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """Two groups do not split a topic: the reader of each reads all of it."""
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
    assert [sorted(each) for each in seen] == [[b"0", b"1", b"2", b"3"]] * 2


@pytest.mark.fact("poll-none-is-not-the-end", scope="any client")
def test_poll_returning_nothing_is_not_the_end(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """`poll()` returning nothing does not mean the end: records may only be on their way.

    A reader that stops at the first nothing reads little, or nothing at all.
    """
    name, reader = topic(), consumer()
    send(producer(), name, [b"a", b"b", b"c"])

    reader.assign([TopicPartition(name, 0, 0)])
    first = reader.poll(0)
    later = poll_until(reader, lambda records: len(records) == 3, what="three records")

    evidence.table(
        "What poll() returned",
        [{"the first time": first, "later": [each.value() for each in later]}],
    )
    assert first is None, "the first poll returned nothing, though three records were there"
    assert [each.value() for each in later] == [b"a", b"b", b"c"]


@pytest.mark.control("poll-none-is-not-the-end", changes="the client is told to report ends")
def test_an_event_tells_the_end(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With `enable.partition.eof` an event tells the end, and the offset that comes next."""
    name, reader = topic(), consumer(KNOWS_ENDS)
    send(producer(), name, [b"a", b"b", b"c"])

    reader.assign([TopicPartition(name, 0, 0)])
    *records, end = events_until(reader, lambda events: len(events) == 4, what="four events")

    evidence.table(
        "Events", [{"offset": e.offset(), "error": error_of(e)} for e in (*records, end)]
    )
    error = error_of(end)
    assert [each.value() for each in records] == [b"a", b"b", b"c"], "first the records"
    assert error is not None, "then an event"
    assert error.code() == KafkaError._PARTITION_EOF, "that tells the end"
    assert end.offset() == 3, "and the next offset"


@pytest.mark.fact("fetch-waits-for-bytes", scope="any client; the broker does the waiting")
def test_a_fetch_waits_for_bytes(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With `fetch.min.bytes` the broker holds an answer back until so much is there, or time is up.

    `fetch.wait.max.ms` is that time: the price of fewer, fuller answers.
    """
    name = topic()
    send(producer(), name, [b"small"])

    seconds = seconds_to_first(consumer({**PATIENT, "fetch.min.bytes": 1_000_000}), name)

    evidence.table("Waited", [{"fetch.wait.max.ms": 1500, "seconds": round(seconds, 3)}])
    assert seconds > 1.4, "the record was there, and was held back until the time was up"


@pytest.mark.control("fetch-waits-for-bytes", changes="fetch.min.bytes=1, the default")
def test_a_fetch_that_wants_one_byte_is_answered_at_once(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With the default of one byte a record is handed over before the time is up."""
    name = topic()
    send(producer(), name, [b"small"])

    seconds = seconds_to_first(consumer({**PATIENT, "fetch.min.bytes": 1}), name)

    evidence.table("Waited", [{"fetch.wait.max.ms": 1500, "seconds": round(seconds, 3)}])
    assert seconds < 1.4, "nobody waited for the time to pass"


@pytest.mark.fact("pause-silences-one-partition", scope="any client")
def test_a_paused_partition_is_silent_and_others_flow(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A paused partition is silent, while the others flow.

    The consumer stays its owner. It is how to make one partition wait without
    leaving the group.
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
    assert seen == [b"flowing"], "only the other partition's record came"


@pytest.mark.control("pause-silences-one-partition", changes="the partition is resumed")
def test_a_resumed_partition_has_lost_nothing(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Resumed, the partition goes on where it stood: nothing was lost meanwhile."""
    name, reader, writer = topic(partitions=2), consumer(), producer()
    reader.assign([TopicPartition(name, partition, 0) for partition in (0, 1)])
    reader.pause([TopicPartition(name, 0)])
    send(writer, name, [b"paused 1", b"paused 2"], partition=0)
    send(writer, name, [SENTINEL], partition=1)
    values_until(reader, SENTINEL)

    reader.resume([TopicPartition(name, 0)])

    polled = poll_until(reader, lambda records: len(records) == 2, what="the paused records")
    evidence.note("After resuming: {}", [each.value() for each in polled])
    assert [each.value() for each in polled] == [b"paused 1", b"paused 2"]


@pytest.mark.fact("seek-replays", scope="any client; the partition must be assigned")
def test_seeking_reads_again(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Seeking to an offset reads again from there; a partition that is not assigned cannot be."""
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
    assert seen == [b"b", b"c"], "from offset 1 again"
    assert refused.value.args[0].code() == KafkaError._UNKNOWN_PARTITION


@pytest.mark.control("seek-replays", changes="there is no seek")
def test_without_a_seek_nothing_comes_again(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Without a seek the consumer goes on: what it read does not come again."""
    name, reader, writer = topic(), consumer(), producer()
    send(writer, name, [b"a", b"b", b"c"])
    reader.assign([TopicPartition(name, 0, 0)])
    poll_until(reader, lambda records: len(records) == 3, what="three records")

    send(writer, name, [SENTINEL])

    seen = values_until(reader, SENTINEL)
    evidence.note("Read before the record that was sent last: {}", seen)
    assert seen == []


# What a group remembers


@pytest.mark.fact("position-is-not-committed", scope="any client, enable.auto.commit=false")
def test_reading_moves_the_position_and_commits_nothing(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Reading moves the consumer's position; what the group has committed stays.

    After a crash the group goes on at the commit, not at the position.
    """
    name, reader = topic(), consumer()
    send(producer(), name, [b"a", b"b", b"c"])

    reader.assign([TopicPartition(name, 0, 0)])
    poll_until(reader, lambda records: len(records) == 3, what="three records")

    position, committed = position_of(reader, name), committed_offset(reader, name)
    evidence.table(
        "After reading three",
        [{"position": position, "committed": committed}],
        look="The position has moved on, the commit has not: a crash now would read all of "
        "it again.",
    )
    assert position == 3, "the next record to be read"
    assert committed is None, "nothing was committed: none, which is not 0"


@pytest.mark.control("position-is-not-committed", changes="the consumer commits")
def test_after_a_commit_both_agree(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """After a commit the committed offset is the position."""
    name, reader = topic(), consumer()
    send(producer(), name, [b"a", b"b", b"c"])
    reader.assign([TopicPartition(name, 0, 0)])
    poll_until(reader, lambda records: len(records) == 3, what="three records")

    reader.commit(asynchronous=False)

    position, committed = position_of(reader, name), committed_offset(reader, name)
    evidence.table("After the commit", [{"position": position, "committed": committed}])
    assert position == committed == 3


@pytest.mark.fact("reset-only-without-a-commit", scope="librdkafka's names; Java's none is error")
def test_without_a_commit_reset_decides(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """Without a commit `auto.offset.reset` decides where a group begins.

    earliest: at the start. latest, the default: at the end. error: nowhere, and
    the consumer is told.
    """
    name, writer = topic(), producer()
    send(writer, name, [b"a", b"b"])
    readers = {
        reset: consumer({**KNOWS_ENDS, "group.id": f"{group}-{reset}", "auto.offset.reset": reset})
        for reset in ("earliest", "latest", "error")
    }
    for reader in readers.values():
        reader.subscribe([name])

    # When latest has reported the end it has begun; what is written now is new to it.
    wait_for_error(readers["latest"], KafkaError._PARTITION_EOF)
    send(writer, name, [SENTINEL])

    seen = {reset: values_until(readers[reset], SENTINEL) for reset in ("earliest", "latest")}
    told = wait_for_error(readers["error"], KafkaError._AUTO_OFFSET_RESET)
    evidence.table(
        "Read before the record that was sent when latest had begun",
        [{"auto.offset.reset": r, "values": v} for r, v in seen.items()],
        look="The values were in the log before the groups came.",
    )
    evidence.note("With error, poll() gives an error: {}", told)
    assert seen == {"earliest": [b"a", b"b"], "latest": []}


@pytest.mark.control("reset-only-without-a-commit", changes="the group has committed offset 1")
@pytest.mark.parametrize("reset", ["earliest", "latest", "error"])
def test_with_a_commit_reset_is_not_asked(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
    reset: str,
) -> None:
    """With a commit the group goes on there, whatever `auto.offset.reset` says."""
    name, reader = topic(), consumer({"auto.offset.reset": reset})
    send(producer(), name, [b"a", b"b", SENTINEL])
    commit_offset(admin, group, name, 1)

    reader.subscribe([name])

    seen = values_until(reader, SENTINEL)
    evidence.note(
        "With {} and offset 1 committed, read before the record that was sent last: {}", reset, seen
    )
    assert seen == [b"b"], "from offset 1"


@pytest.mark.fact("commit-outside-the-log-resets", scope="any client")
def test_a_commit_outside_the_log_resets(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """A commit outside the log is accepted, and then counts as none: the reset decides.

    Retention makes such commits of good ones. With `latest` the group would
    jump to the end without a word.
    """
    name, reader = topic(), consumer()
    send(producer(), name, [b"a", b"b", SENTINEL])

    commit_offset(admin, group, name, 999)
    reader.subscribe([name])

    polled = poll_until(
        reader,
        lambda records: bool(records) and records[-1].value() == SENTINEL,
        what="the last record",
    )
    *seen, _ = [each.value() for each in polled]
    committed = committed_offset(reader, name)
    evidence.table(
        "A commit of 999, where three records are; enable.auto.commit=false",
        [
            {
                "first offset read": polled[0].offset(),
                "records read": len(polled),
                "committed when they were read": committed,
            }
        ],
        look="Compare where reading began with what was committed.",
    )
    assert seen == [b"a", b"b"], "earliest: from the start"
    assert committed == 999, "the commit stays until the next one"


@pytest.mark.control("commit-outside-the-log-resets", changes="the commit is exactly at the end")
def test_a_commit_at_the_end_does_not_reset(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """A commit exactly at the end is inside the log: the group waits for what comes."""
    name, reader, writer = topic(), consumer(), producer()
    send(writer, name, [b"a", b"b"])

    commit_offset(admin, group, name, 2)
    reader.subscribe([name])
    send(writer, name, [SENTINEL])

    seen = values_until(reader, SENTINEL)
    evidence.note("Read before the record that was sent last: {}", seen)
    assert seen == [], "nothing comes again"


@pytest.mark.fact("assign-joins-no-group", scope="any client")
def test_assign_joins_no_group(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """`assign()` makes no member of the group, and yet the consumer may commit for it.

    Nobody moves its partitions, and nobody else's are moved for it.
    """
    name, reader = topic(), consumer()
    send(producer(), name, [b"a", b"b"])

    reader.assign([TopicPartition(name, 0, 0)])
    poll_until(reader, lambda records: len(records) == 2, what="two records")
    reader.commit(asynchronous=False)

    described = describe_group(admin, group)
    evidence.table("The group", [{"state": described.state, "members": len(described.assignments)}])
    assert described.assignments == (), "the group has no member"
    assert committed_offset(consumer(), name) == 2, "but a committed offset"


@pytest.mark.control("assign-joins-no-group", changes="another consumer subscribes")
def test_subscribe_makes_a_member(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """`subscribe()` makes a member; while there is one, an outsider may not commit."""
    name, member, outsider = topic(), consumer(), consumer()
    join([member], name, partitions=1)
    send(producer(), name, [b"a"])

    described = describe_group(admin, group)
    with pytest.raises(KafkaException) as refused:
        outsider.commit(offsets=[TopicPartition(name, 0, 1)], asynchronous=False)

    evidence.table("The group", [{"state": described.state, "members": len(described.assignments)}])
    evidence.note(
        "commit() by a second consumer, which did not subscribe: {}", refused.value.args[0]
    )
    assert described.assignments == (((name, 0),),), "one member with one partition"
    assert refused.value.args[0].code() == KafkaError.UNKNOWN_MEMBER_ID


@pytest.mark.fact("callbacks-wait-for-poll", scope="librdkafka, classic and KIP-848")
@pytest.mark.parametrize("protocol", [CLASSIC, KIP_848], ids=["classic", "KIP-848"])
def test_callbacks_wait_for_poll(
    admin: AdminClient,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
    protocol: dict[str, object],
) -> None:
    """After `subscribe()` a member gets its partitions unasked, but is told only in `poll()`.

    To the group it owns them and may stand in others' way, while its own code
    knows nothing of it yet.
    """
    name, reader = topic(partitions=3), consumer(protocol)
    assigned: list[int] = []

    reader.subscribe([name], on_assign=lambda _, partitions: assigned.append(len(partitions)))
    described = wait_until(
        lambda: describe_group(admin, group),
        lambda seen: seen.state == "STABLE" and [len(each) for each in seen.assignments] == [3],
        limit=30,
        what="the group to be stable, its member with three partitions",
    )

    evidence.table(
        "After subscribe(), without a poll()",
        [
            {
                "state of the group": described.state,
                "partitions of its member": [len(each) for each in described.assignments],
                "calls of on_assign": len(assigned),
            }
        ],
    )
    assert assigned == [], "no callback came"
    assert reader.assignment() == [], "and the consumer knows of no partition"


@pytest.mark.control("callbacks-wait-for-poll", changes="the member polls")
def test_polling_brings_the_callback(
    topic: TopicMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Polling brings the callback, with all partitions."""
    name, reader = topic(partitions=3), consumer()
    assigned: list[int] = []

    reader.subscribe([name], on_assign=lambda _, partitions: assigned.append(len(partitions)))
    events_until(reader, lambda _: bool(assigned), what="the callback")

    evidence.note("After polling, partitions of each call of on_assign: {}", assigned)
    assert assigned == [3]


@pytest.mark.fact("unknown-topic-is-reported", scope="librdkafka")
def test_subscribing_to_an_unknown_topic_is_reported(
    topic: TopicMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Subscribing to a topic that does not exist gives an error event, out of `poll()`.

    It is an event among records: code that looks at values only passes it over.
    """
    name, reader = topic.name(), consumer()

    reader.subscribe([name])
    (event,) = events_until(reader, bool, what="an event")

    told = error_of(event)
    evidence.rename({name: "missing"})
    evidence.note("poll() gave an event with the error {}", told)
    assert told is not None, "it is an error"
    assert told.code() == KafkaError.UNKNOWN_TOPIC_OR_PART


@pytest.mark.control("unknown-topic-is-reported", changes="the topic is assigned")
def test_assigning_an_unknown_topic_is_not_reported(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Assigning it gives no event: it stays silent, while another topic's records come."""
    unknown, known, reader = topic.name(), topic(), consumer()
    send(producer(), known, [SENTINEL])

    reader.assign([TopicPartition(unknown, 0, 0), TopicPartition(known, 0, 0)])
    events = events_until(reader, bool, what="the first event")

    evidence.rename({unknown: "missing", known: "known"})
    evidence.table(
        "What poll() gave first; assigned are topic missing, which does not exist, and topic known",
        [{"topic": e.topic(), "value": e.value(), "error": error_of(e)} for e in events],
    )
    assert [error_of(each) for each in events] == [None], "no error"
    assert [each.value() for each in events] == [SENTINEL], "the known topic's record"


# The component: reader, log line, order check and progress


@pytest.mark.fact("reader-reads-all-to-the-end", scope="the component partition_log")
def test_the_reader_reads_all_to_the_end(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """The reader reads every partition of every topic to its end, past polls that bring nothing.

    The broker holds its answers back for 1.5 s, so polls come back empty first.
    """
    users, shop, writer = topic(partitions=3), topic(), producer()
    for place in ((users, 0), (users, 2), (shop, 0)):
        send(writer, place[0], [b"%d" % number for number in range(5)], partition=place[1])
    slow = {**broker.client_properties(), "fetch.min.bytes": 1_000_000, "fetch.wait.max.ms": 1500}

    records = list(solutions.partition_log.read_to_end(slow, [users, shop]))

    evidence.table("The log as read", log_rows(records))
    seen = sorted((each.topic, each.partition, each.offset, each.value) for each in records)
    assert seen == sorted(
        (name, partition, number, b"%d" % number)
        for name, partition in ((users, 0), (users, 2), (shop, 0))
        for number in range(5)
    ), "each record once, with its place and value"


@pytest.mark.fact("reader-reads-past-gaps", scope="the component partition_log")
def test_the_reader_reads_past_gaps(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """The reader reads past gaps: aborted records, markers, and a marker at the very end.

    The last offset of such a log is never seen. A reader that waits for it
    waits for ever; one that takes a gap for the end stops too early.
    """
    name = topic()
    writer = producer({"transactional.id": name})
    init_transactions(writer)
    for ends_well, values in ((True, [b"a", b"b"]), (False, [b"gone"]), (True, [b"c"])):
        writer.begin_transaction()
        send(writer, name, values)
        end_transaction(writer, ends_well=ends_well)
    wait_for_end(consumer(), name, 7)

    records, seconds = read_in_time(solutions, broker, name)

    seen = [(each.offset, each.value) for each in records]
    evidence.table("The log as read", log_rows(records))
    assert seen == [(0, b"a"), (1, b"b"), (5, b"c")], "what was committed, and nothing else"
    assert seconds < IN_TIME, "it knew the end, and did not wait for its limit"


@pytest.mark.fact("reader-stops-at-the-end-it-saw", scope="the component partition_log")
def test_the_reader_stops_at_the_end_it_saw(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """The reader stops where the log ended when it began: what is appended meanwhile is left out.

    On a busy topic a reader that always looks for the newest end never stops.
    """
    name, writer = topic(), producer()
    send(writer, name, [b"%d" % number for number in range(5)])

    reading: Iterator[LogRecord] = iter(
        solutions.partition_log.read_to_end(broker.client_properties(), [name])
    )
    first = next(reading)
    send(writer, name, [b"later"] * 5)
    rest = list(reading)

    values = [each.value for each in (first, *rest)]
    evidence.note("Five records were there, five came meanwhile; read: {}", values)
    assert values == [b"0", b"1", b"2", b"3", b"4"], "what was there at the start of reading"


@pytest.mark.fact("an-empty-topic-ends-at-once", scope="the component partition_log")
def test_an_empty_topic_ends_at_once(
    broker: Broker, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """Reading an empty topic ends at once: nobody waits for a first record."""
    name = topic(partitions=3)

    records, seconds = read_in_time(solutions, broker, name)

    evidence.table("Empty", [{"records": len(records), "seconds": round(seconds, 3)}])
    assert records == []
    assert seconds < IN_TIME, "it did not wait for its limit"


@pytest.mark.fact("looking-joins-no-group", scope="the component partition_log")
def test_looking_joins_no_group(
    broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """Who only looks joins no group and commits nothing, even with a group's name in its settings.

    A reader that subscribed would take partitions away from those who work.
    """
    name = topic()
    send(producer(), name, [b"a", b"b"])
    config = {**broker.client_properties(), "group.id": group}

    reading: Iterator[LogRecord] = iter(solutions.partition_log.read_to_end(config, [name]))
    first = next(reading)
    meanwhile = describe_group(admin, group)
    rest = list(reading)

    committed = committed_offset(consumer(), name)
    evidence.table(
        "The group", [{"members while reading": meanwhile.assignments, "committed": committed}]
    )
    assert [each.value for each in (first, *rest)] == [b"a", b"b"]
    assert meanwhile.assignments == (), "no member while it read"
    assert committed is None, "and no commit afterwards"


@pytest.mark.fact("a-line-tells-everything", scope="the component partition_log")
def test_a_line_tells_everything(solutions: Solutions, evidence: Evidence) -> None:
    """A log line tells topic, partition, offset, key, value, time and headers, in one line."""
    record = LogRecord(
        "orders", 4, 17, b"order-1", b"paid", LONG_AGO_MS, (("trace", b"t-9"), ("trace", None))
    )

    line = solutions.partition_log.log_line(record)

    evidence.note(line)
    for part in ("orders", "4", "17", "order-1", "paid", "2024-01-01", "trace", "t-9"):
        assert part in line, f"{part} is told"
    assert len(line.splitlines()) == 1, "one line a record"


@pytest.mark.fact("a-line-is-unmistakable", scope="the component partition_log")
@AT_ANY_SPEED
@given(first=st.none() | st.binary(max_size=12), second=st.none() | st.binary(max_size=12))
def test_different_values_make_different_lines(
    solutions: Solutions, first: bytes | None, second: bytes | None
) -> None:
    """Different values make different lines, each one line of printable characters.

    Null is not empty, binary is not text, and a line end in a value cannot
    forge a record.
    """
    lines = [
        solutions.partition_log.log_line(LogRecord("t", 0, 0, None, value, LONG_AGO_MS))
        for value in (first, second)
    ]

    assert (lines[0] == lines[1]) == (first == second), f"{first!r} and {second!r}: {lines}"
    assert all(line.isprintable() for line in lines), "no control characters, no line ends"


@pytest.mark.fact("a-long-value-is-cut", scope="the component partition_log")
@pytest.mark.parametrize("value", [b"x" * 1_000_000, b"\xff" * 1_000_000], ids=["text", "binary"])
def test_a_long_value_is_cut(solutions: Solutions, evidence: Evidence, value: bytes) -> None:
    """A long value is cut, and its size told: a line stays a line."""
    record = LogRecord("t", 0, 0, b"k", value, LONG_AGO_MS)

    line = solutions.partition_log.log_line(record)

    evidence.note(line)
    assert len(line) < 2_000, "a line that can be read"
    assert "1000000" in line, "the size is told"


@pytest.mark.fact("json-round-trips", scope="the component partition_log")
@AT_ANY_SPEED
@given(
    key=st.none() | st.binary(),
    value=st.none() | st.binary() | st.text().map(str.encode),
    headers=st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=3),
    timestamp=st.none() | st.integers(0, 2**62),
)
def test_json_round_trips(
    solutions: Solutions,
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes | None]],
    timestamp: int | None,
) -> None:
    """A record that was written as JSON, one line, is the same record when it is read again."""
    record = LogRecord("t", 1, 2, key, value, timestamp, tuple(headers))

    line = solutions.partition_log.to_json(record)

    assert len(line.splitlines()) == 1, "one line a record"
    assert isinstance(json.loads(line), dict), "JSON for any reader"
    assert solutions.partition_log.from_json(line) == record, "and the same record again"


@pytest.mark.fact("order-is-checked-where-it-holds", scope="the component partition_log")
def test_order_is_checked_where_it_holds(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """The order check finds a swap in a key or a partition, and accepts any order across them."""
    name, records = topic(partitions=3), user_events(users=3, per_user=10)
    sent = [Record(each.value, str(each.key).encode()) for each in records]
    send(producer(), name, sent, partition=BY_KEY)
    read_back = list(solutions.partition_log.read_to_end(broker.client_properties(), [name]))
    interleaved = sorted(read_back, key=lambda each: (each.offset, each.partition))
    swapped = swap_in_a_key(read_back)
    repeated = [*read_back, read_back[0]]

    check = solutions.partition_log.check_order
    seen = {
        "as read": check(read_back),
        "interleaved across partitions": check(interleaved),
        "two records of a key swapped": check(swapped),
        "the first record again at the end": check(repeated),
    }

    evidence.table(
        "Violations",
        [
            {"log": n, "violations": len(c.violations), "compared": c.compared}
            for n, c in seen.items()
        ],
        look="Only the log in which two records of a key were swapped violates the order.",
    )
    assert all(each.compared > 0 for each in seen.values()), "something was compared"
    assert not seen["as read"].violations, "the log is in order"
    assert not seen["interleaved across partitions"].violations, "across there is no order"
    assert seen["two records of a key swapped"].violations, "a swap in a key is found"
    assert seen["the first record again at the end"].violations, "going back is found"


@pytest.mark.fact("progress-tells-position-from-commit", scope="the component partition_log")
def test_progress_tells_position_from_commit(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """Progress tells the position beside the committed offset, and none where there is none.

    None is not 0: a group that committed 0 begins at 0, one without a commit
    where its reset says.
    """
    name, reader = topic(partitions=3), consumer()
    for partition in (0, 1):
        send(producer(), name, [b"a", b"b", b"c"], partition=partition)
    reader.assign([TopicPartition(name, partition, 0) for partition in range(3)])
    poll_until(reader, lambda records: len(records) == 6, what="six records")
    reader.commit(
        offsets=[TopicPartition(name, 0, 2), TopicPartition(name, 2, 0)], asynchronous=False
    )

    rows = solutions.partition_log.progress(reader)

    evidence.table(
        "Progress",
        [
            {"partition": r.partition, "position": r.position, "committed": r.committed}
            for r in rows
        ],
        look="None is not zero: nothing was read there, or nothing was committed.",
    )
    seen = {each.partition: (each.position, each.committed) for each in rows}
    assert seen[0] == (3, 2), "read to 3, committed 2"
    assert seen[1] == (3, None), "read to 3, nothing committed"
    assert seen[2][1] == 0, "committed 0"


# What the tests above share

# Seconds of silence after which a reader gives up, and by when it must have found the end:
# reading takes less than one, several on a loaded machine.
READER_LIMIT, IN_TIME = 16, 8

# How long the broker may hold an answer back.
PATIENT = {"fetch.wait.max.ms": 1500}


def numbered(key: bytes, start: int, end: int) -> list[Record]:
    """Records of one key that are numbered from start to before end."""
    return [Record(b"%d" % number, key) for number in range(start, end)]


def sequence(message: Message) -> int:
    """The number that the demo data gives each record of a key."""
    return int(json.loads(message.value() or b"")["sequence"])


def read_in_time(solutions: Solutions, broker: Broker, topic: str) -> tuple[list[LogRecord], float]:
    """What the component reads, and the seconds that it took."""
    started = time.monotonic()
    records = list(
        solutions.partition_log.read_to_end(broker.client_properties(), [topic], limit=READER_LIMIT)
    )
    return records, time.monotonic() - started


def position_of(consumer: Consumer, topic: str) -> int:
    """The offset that a consumer reads next from partition 0."""
    (place,) = consumer.position([TopicPartition(topic, 0)])
    return place.offset


def read_by(consumer: Consumer, count: int) -> list[bytes]:
    """The values of so many records that one consumer polls."""
    polled = poll_until(consumer, lambda got: len(got) == count, what="its share of the records")
    return [each.value() or b"" for each in polled]


def seconds_to_first(consumer: Consumer, topic: str) -> float:
    """Seconds from the first fetch to the first record."""
    # Asking for the watermarks connects the consumer, which is not to be measured.
    watermarks(consumer, topic)
    started = time.monotonic()
    consumer.assign([TopicPartition(topic, 0, 0)])
    poll_until(consumer, bool, what="the first record")
    return time.monotonic() - started


def swap_in_a_key(records: Sequence[LogRecord]) -> list[LogRecord]:
    """The records with two values of one key exchanged."""
    first, second = [at for at, each in enumerate(records) if each.key == b"user-1"][3:5]
    swapped = list(records)
    swapped[first] = records[first]._replace(value=records[second].value)
    swapped[second] = records[second]._replace(value=records[first].value)
    return swapped


def log_rows(records: Sequence[LogRecord]) -> list[dict[str, object]]:
    """A log as rows of evidence."""
    return [
        {"partition": each.partition, "offset": each.offset, "key": each.key, "value": each.value}
        for each in records
    ]
