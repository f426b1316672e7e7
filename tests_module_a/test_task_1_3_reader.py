"""Task 1.3, the component: the reader.

It is kafkalab's own or, with `--kafkalab-solutions`, yours. What else the component does stands
in test_task_1_3_component.py.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

import pytest
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from kafkalab.brokers import Broker, Termination
from kafkalab.contracts import ClientConfig
from kafkalab.contracts.partition_log import LogRecord, ReadFailed
from kafkalab.fixtures import ConsumerMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.client_threads import client_threads, threads_left
from kafkalab.observe.groups import committed_offset, describe_group
from kafkalab.observe.log_cleaning import KEEP_FOR_EVER, LONG_AGO_MS
from kafkalab.observe.records import (
    Record,
    end_transaction,
    init_transactions,
    send,
    wait_for_end,
)
from kafkalab.observe.refusals import error_kind, must_raise
from kafkalab.observe.topics import grow, leaders
from kafkalab.solutions import Solutions
from kafkalab.waiting import spend, wait_until

# A reader hears after this time that nothing more is there; by default after half a second.
PROMPT: ClientConfig = {"fetch.wait.max.ms": 20}


def log_rows(records: Sequence[LogRecord]) -> list[dict[str, object]]:
    """A log as rows of evidence."""
    return [
        {"partition": each.partition, "offset": each.offset, "key": each.key, "value": each.value}
        for each in records
    ]


@pytest.mark.fact("reader-reads-all-to-the-end", scope="the component partition_log")
def test_the_reader_reads_all_to_the_end(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    admin: AdminClient,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """The reader reads every partition of every topic to its end, also if polls return nothing.

    The broker holds its answers back for 0.8 s, so the first polls return
    nothing. Topics grow, so each reading asks anew which partitions there are.
    """
    users, shop, writer = topic(partitions=3), topic(), producer()
    for place in ((users, 0), (users, 2), (shop, 0)):
        send(writer, place[0], [b"%d" % number for number in range(5)], partition=place[1])
    slow = {**broker.client_properties(), "fetch.min.bytes": 1_000_000, "fetch.wait.max.ms": 800}

    records = list(solutions.partition_log.read_to_end(slow, [users, shop]))
    left = {users, shop} & set(admin.list_topics(timeout=20).topics)
    assert left == {users, shop}, "Reading removes nothing: both topics are still there."
    grow(admin, shop, 2)
    # A producer of its own: the first one still takes the topic for one with a single partition.
    send(producer(), shop, [b"new"], partition=1)
    later = list(
        solutions.partition_log.read_to_end({**broker.client_properties(), **PROMPT}, [shop])
    )

    evidence.table("The log as read", log_rows(records))
    evidence.table("One topic after it grew", log_rows(later))
    seen = sorted((each.topic, each.partition, each.offset, each.value) for each in records)
    assert seen == sorted(
        (name, partition, number, b"%d" % number)
        for name, partition in ((users, 0), (users, 2), (shop, 0))
        for number in range(5)
    ), "Each record is read once, with its place and its value; an empty poll is not the end."
    assert [each.value for each in later if each.partition == 1] == [b"new"], (
        "When the topic has grown the next reading has its new partition, too."
    )


# None, empty, binary and text; a header's name twice, and headers with None and binary.
UNKIND = [
    Record(b"text", b"key", LONG_AGO_MS),
    Record(b"", b"", LONG_AGO_MS + 1),
    Record(None, None, LONG_AGO_MS + 2),
    Record(b"\x00\xff", b"\xff\x00", LONG_AGO_MS + 3, (("b", b"2"), ("a", b"1"), ("b", None))),
    Record(None, b"key", LONG_AGO_MS + 4, (("", b""), ("x", b"\xff"))),
]


@pytest.mark.fact("reader-gives-the-whole-record", scope="the component partition_log")
@pytest.mark.parametrize("way", ["read_to_end", "follow"])
def test_the_reader_gives_the_whole_record(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
    way: str,
) -> None:
    """The reader gives each record whole: key, value, time and headers are as they were written.

    None is a deletion, and no empty value; a key is bytes, which need not be
    text; a header's name may come twice. A topic may have the broker's time.
    """
    # Retention goes by the records' own times, which are long ago.
    name, config = topic(settings=KEEP_FOR_EVER), {**broker.client_properties(), **PROMPT}
    stamped = topic(settings={"message.timestamp.type": "LogAppendTime"})
    send(producer(), name, UNKIND)
    (report,) = send(producer(), stamped, UNKIND[:1])
    read = getattr(solutions.partition_log, way)

    records = list(islice(read(config, [name]), len(UNKIND)))
    (by_the_broker,) = islice(read(config, [stamped]), 1)

    evidence.table(
        "The records as read", records, ("offset", "key", "value", "timestamp_ms", "headers")
    )
    expected = [
        LogRecord(name, 0, offset, each.key, each.value, each.timestamp_ms, each.headers)
        for offset, each in enumerate(UNKIND)
    ]
    assert len(records) == len(expected), "Each record is read once; a deletion is a record, too."
    for seen, wanted in zip(records, expected, strict=True):
        for field in LogRecord._fields:
            assert getattr(seen, field) == getattr(wanted, field), (
                f"The record at offset {wanted.offset} has its {field}."
            )
    assert by_the_broker.timestamp_ms == report.timestamp_ms, (
        "A record of a topic with LogAppendTime has the time that the broker gave it."
    )


# Of each way to read, the argument that says how long it waits.
LIMIT_OF = {"read_to_end": "limit", "follow": "quiet"}

# Seconds of silence after which a reader gives up, and by when it must have found the end:
# reading takes less than one, several on a loaded machine.
READER_LIMIT, IN_TIME = 16, 8

# Seconds without a record after which the reading is given up. The first is enough; where a loaded
# machine needs more for the first record, the next is tried.
QUIET = 0.3, 2.0, 8.0


def read_in_time(solutions: Solutions, broker: Broker, topic: str) -> tuple[list[LogRecord], float]:
    """What the component reads, and the seconds that it took."""
    # The caller's settings do not say which events a reader needs.
    config = {**broker.client_properties(), **PROMPT, "enable.partition.eof": False}
    started = time.monotonic()
    records = list(solutions.partition_log.read_to_end(config, [topic], limit=READER_LIMIT))
    return records, time.monotonic() - started


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

    No reader is given the last offset of such a log. One that waits for it
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
    assert seen == [(0, b"a"), (1, b"b"), (5, b"c")], (
        "All that was committed is read, also behind a gap, and nothing else."
    )
    assert seconds < IN_TIME, (
        "The reader sets itself which events it gets, whatever enable.partition.eof its config "
        "has: so it knows the end, and does not wait for its limit."
    )


@pytest.mark.fact("reader-obeys-the-isolation-level", scope="the component partition_log")
def test_the_reader_obeys_the_isolation_level(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """The reader reads what is committed, unless its settings ask for read_uncommitted.

    While a transaction is open the log ends, for readers of committed records,
    where it begins: what others have written behind it is left out, too.
    """
    name, config = topic(), {**broker.client_properties(), **PROMPT}
    writer, other = producer({"transactional.id": name}), producer()
    init_transactions(writer)
    writer.begin_transaction()
    send(writer, name, [b"aborted"])
    end_transaction(writer, ends_well=False)
    send(other, name, [b"plain"])
    writer.begin_transaction()
    send(writer, name, [b"open"])
    send(other, name, [b"behind"])

    read = solutions.partition_log.read_to_end
    committed = [each.value for each in read(config, [name])]
    everything = [
        each.value for each in read({**config, "isolation.level": "read_uncommitted"}, [name])
    ]

    end_transaction(writer, ends_well=True)
    evidence.note("Read by default: {}; with read_uncommitted: {}", committed, everything)
    assert committed == [b"plain"], (
        "By default the reader gives nothing of a transaction that is aborted or open, "
        "and nothing behind an open one."
    )
    assert everything == [b"aborted", b"plain", b"open", b"behind"], (
        "With read_uncommitted it gives every record."
    )


@pytest.mark.fact("reader-starts-at-the-start", scope="the component partition_log")
@pytest.mark.parametrize(("way", "limit"), LIMIT_OF.items(), ids=LIMIT_OF)
def test_the_reader_starts_where_the_log_starts(
    broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
    way: str,
    limit: str,
) -> None:
    """The reader begins where the log starts now, whatever its settings' group has committed.

    `auto.offset.reset` has no say either. The reader begins when the first record
    is asked for: what was written before that is read.
    """
    name, writer = topic(), producer()
    send(writer, name, [b"deleted", b"a", b"b"])
    admin.delete_records([TopicPartition(name, 0, 1)])[TopicPartition(name, 0)].result(20)
    consumer().commit(offsets=[TopicPartition(name, 0, 3)], asynchronous=False)
    own = {"group.id": group, "auto.offset.reset": "latest"}
    config = {**broker.client_properties(), **PROMPT, **own}

    reading = iter(getattr(solutions.partition_log, way)(config, [name], **{limit: READER_LIMIT}))
    send(writer, name, [b"c"])
    seen = [(each.offset, each.value) for each in islice(reading, 3)]

    evidence.note("The log starts at offset 1, the group has committed 3; read: {}", seen)
    assert seen == [(1, b"a"), (2, b"b"), (3, b"c")], (
        "The reader gives all records from the log's start, whatever the group has committed, "
        "and the one that was written before the first was asked for."
    )


# Records; no reader has all of them at once, if it fetches little at a time.
MANY = 5_000
FRUGAL = {
    "fetch.message.max.bytes": 1_000,
    "queued.max.messages.kbytes": 1,
    # By default a client whose queue is full looks again after a second.
    "fetch.queue.backoff.ms": 10,
}


@pytest.mark.fact("reader-stops-at-the-end-it-saw", scope="the component partition_log")
def test_the_reader_stops_at_the_end_it_saw(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """The reader stops where the log ended when it began; what is appended meanwhile is left out.

    On a busy topic a reader that always looks for the newest end never stops. One
    that counts the ends it meets stops too early: a partition that grows ends
    again and again.
    """
    name, writer = topic(partitions=2), producer({"batch.num.messages": 10})
    send(writer, name, [b"%d" % number for number in range(MANY)], partition=0)
    send(writer, name, [b"0"], partition=1)
    config = {**broker.client_properties(), **PROMPT, **FRUGAL}

    seen: list[LogRecord] = []
    for record in solutions.partition_log.read_to_end(config, [name]):
        if len(seen) % 500 == 0:
            for partition in (0, 1):
                send(writer, name, [b"later"], partition=partition)
        seen.append(record)

    values = [[each.value for each in seen if each.partition == number] for number in (0, 1)]
    counts = Counter(each.value == b"later" for each in seen)
    evidence.table(
        f"{MANY + 1} records were there; read of them, and of those that came meanwhile",
        [{"read": counts[False], "later": counts[True]}],
    )
    assert counts[True] == 0, "Only what was there when the reading began is read."
    assert counts[False] == MANY + 1, (
        "All that was there is read, though the shorter partition came to its end several times."
    )
    assert values == [[b"%d" % number for number in range(MANY)], [b"0"]], (
        "Each partition's records come once, in their order."
    )


@pytest.mark.fact("an-empty-topic-ends-at-once", scope="the component partition_log")
def test_an_empty_topic_ends_at_once(
    broker: Broker, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """If a topic is empty, reading it ends at once, and does not wait for a first record.

    Without topics both ways of reading end at once.
    """
    name, config, log = topic(partitions=3), broker.client_properties(), solutions.partition_log

    records, seconds = read_in_time(solutions, broker, name)
    began = time.monotonic()
    none = [*log.read_to_end(config, [], limit=READER_LIMIT)]
    none += log.follow(config, [], quiet=READER_LIMIT)
    without = time.monotonic() - began

    evidence.table("Empty", [{"records": len(records), "seconds": round(seconds, 3)}])
    evidence.number("without topics", round(without, 3), "s")
    assert records + none == [], "No record is read."
    assert seconds < IN_TIME, "The reader does not wait for its limit."
    assert without < IN_TIME, "Without topics no reader waits for its limit."


# As an application may have set it, of which the reader takes the settings.
COMMITS_AT_ONCE = {"enable.auto.commit": True, "auto.commit.interval.ms": 10}


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
    """The reader joins no group and commits nothing, even if its settings ask for both.

    A reader that subscribed would take partitions away from the group's members.
    One that committed would make them skip what it has read.
    """
    name = topic()
    send(producer(), name, [b"a", b"b"])
    own = {"group.id": group, **COMMITS_AT_ONCE}
    config = {**broker.client_properties(), **PROMPT, **own}

    reading: Iterator[LogRecord] = iter(solutions.partition_log.read_to_end(config, [name]))
    first = next(reading)
    meanwhile = describe_group(admin, group)
    rest = list(reading)

    committed = committed_offset(consumer(), name)
    evidence.table(
        "The group", [{"members while reading": meanwhile.assignments, "committed": committed}]
    )
    assert [each.value for each in (first, *rest)] == [b"a", b"b"], "Both records are read."
    assert meanwhile.assignments == (), "While it reads the group has no member."
    assert committed is None, "Afterwards the group has no commit."


@pytest.mark.fact("unknown-topic-is-not-empty", scope="the component partition_log")
@pytest.mark.cluster(brokers=2, settings={"auto.create.topics.enable": "true"})
@pytest.mark.parametrize(("way", "limit"), LIMIT_OF.items(), ids=LIMIT_OF)
def test_an_unknown_topic_is_not_an_empty_one(
    private_broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
    way: str,
    limit: str,
) -> None:
    """If a topic is unknown, the reader raises ReadFailed, and does not create the topic.

    A name with a slip of the pen would look like a topic without records. This
    broker creates a topic for every producer that asks for it. A partition
    without a leader, and a cluster that cannot be reached, are not empty either.
    """
    known, unknown, config = topic(partitions=2), topic.name(), private_broker.client_properties()
    send(producer(), known, [b"a"])
    nobody = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}

    def refusal(config: ClientConfig, *topics: str, **of: float) -> str:
        read = getattr(solutions.partition_log, way)
        return error_kind(lambda: list(read(config, topics, **of)), ReadFailed, KafkaException)

    missing = refusal(config, known, unknown)
    names = set(admin.list_topics(timeout=20).topics)
    # Told to end, a broker gives up its partitions at once; killed, when its session is over.
    private_broker.kill(private_broker.node_ids[1], Termination.GRACEFUL)
    wait_until(
        lambda: leaders(admin, known),
        lambda seen: -1 in seen,
        limit=30,
        what="a partition without a leader",
    )
    leaderless = refusal(config, known, **{limit: 2})
    unreachable = refusal(nobody, known, **{limit: 1})

    evidence.table(
        "What ended the reading",
        [{"unknown topic": missing, "no leader": leaderless, "no cluster": unreachable}],
    )
    assert missing == "ReadFailed", "A topic that is unknown ends the reading by a ReadFailed."
    assert leaderless in ("ReadFailed", "KafkaException"), (
        "A partition that has no leader within the limit ends the reading by an error: it may have "
        "records."
    )
    assert unreachable == "KafkaException", (
        "If the cluster cannot be reached, the reading ends by the client's KafkaException."
    )
    assert unknown not in names, "Looking at an unknown topic does not create it."
    assert known in names, "The known topic is still there."


@pytest.mark.fact("reader-closes-its-consumer", scope="the component partition_log")
@pytest.mark.parametrize("ending", ["at the end", "half-way", "unknown topic"])
def test_the_reader_closes_its_consumer(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
    ending: str,
) -> None:
    """When reading ends, however it ends, the reader's consumer is closed.

    A consumer has some threads and connections of its own. A process that looks
    often runs out of them if none is closed.
    """
    name, log = topic(), solutions.partition_log
    config = {**broker.client_properties(), **PROMPT}
    send(producer(), name, [b"a", b"b", b"c"])
    before = client_threads()

    if ending == "at the end":
        list(log.read_to_end(config, [name]))
    elif ending == "half-way":
        # The iterator is not needed any more, as after a break in a loop.
        next(iter(log.read_to_end(config, [name])))
    else:
        with must_raise(
            ReadFailed, sentence="If a topic is unknown, read_to_end() raises ReadFailed."
        ):
            list(log.read_to_end(config, [topic.name()]))
    left = threads_left(before)

    evidence.note(
        "Ended {}: {} clients are left, beside {} that were open before", ending, left, len(before)
    )
    assert left == 0, "No thread of the reader's client is left."


@pytest.mark.fact("silence-is-not-the-end", scope="the component partition_log")
@pytest.mark.needs("restart")
def test_silence_is_not_the_end(
    private_broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """If the broker dies while the reader reads, it raises an error and does not just end.

    A reading that ends looks complete.
    """
    name, limit = topic(), 2
    # In small batches, which are fetched one by one: most records are still with the broker when
    # the reader has given the first.
    send(producer({"batch.num.messages": 10}), name, [b"%d" % each for each in range(MANY)])
    config = {**private_broker.client_properties(), **FRUGAL}
    reading = iter(solutions.partition_log.read_to_end(config, [name], limit=limit))

    seen = [next(reading)]
    private_broker.kill(private_broker.node_ids[0], Termination.ABRUPT)
    died = time.monotonic()
    with must_raise(
        ReadFailed,
        KafkaException,
        sentence="If the broker is gone before the end is reached, the reader raises ReadFailed, "
        "and does not end as if it had read all.",
    ) as failed:
        seen += reading
    seconds = time.monotonic() - died

    evidence.note(
        "After {} of {} records and {} s: {}", len(seen), MANY, round(seconds, 1), failed.value
    )
    assert seconds < limit + IN_TIME, "The reader gives up soon after its limit."


# The broker has no million bytes to give, so it waits; then it gives a record of about 1,000 bytes.
# It waits longer than a reader that collects records does, so that no two of them come together.
ONE_AT_A_TIME = {**FRUGAL, "fetch.min.bytes": 1_000_000, "fetch.wait.max.ms": 200}


def given_by(reading: Iterable[LogRecord]) -> int:
    """How many records a reading gives until it ends, or gives up."""
    given = 0
    with suppress(ReadFailed):
        for _ in reading:
            given += 1
    return given


@pytest.mark.fact("a-slow-caller-is-no-silence", scope="the component partition_log")
def test_a_slow_caller_is_no_silence(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """The time that the caller takes with a record does not count as silence of the broker.

    Each record comes by itself, so that the reader has no other one to give at once.
    """
    name, writer = topic(), producer({"batch.num.messages": 1})
    send(writer, name, [b"x" * 1_000] * 2)
    config = {**broker.client_properties(), **ONE_AT_A_TIME}

    def read_slowly(quiet: float) -> dict[str, int]:
        """How many records each way to read gives to a caller who is busy after the first."""
        readings = {
            way: iter(getattr(solutions.partition_log, way)(config, [name], **{limit: quiet}))
            for way, limit in LIMIT_OF.items()
        }
        first = {way: given_by(islice(reading, 1)) for way, reading in readings.items()}
        spend(quiet + 0.3)
        return {way: first[way] + given_by(reading) for way, reading in readings.items()}

    for quiet in QUIET:
        seen = read_slowly(quiet)
        if set(seen.values()) == {2}:
            break

    evidence.note("The reader waits {} s, the caller took a bit more.", quiet)
    evidence.table("Records read, of 2", [seen])
    for way, count in seen.items():
        assert count == 2, (
            f"Both records are read, though the caller took longer with the first than the "
            f"{quiet} s that {way}() waits."
        )


class Followed(NamedTuple):
    """What follow() gave while it was looked at."""

    records: list[LogRecord]
    """the first two, then those that came later"""
    seconds: float
    """how long it waited for more"""
    members: int
    """of the group, meanwhile"""


@pytest.mark.fact("follow-goes-on", scope="the component partition_log")
def test_follow_goes_on(
    broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """follow() begins at the start, goes on with what arrives, and ends when nothing comes.

    It is no member of a group and commits nothing, whatever its settings say.
    """
    writer, observer = producer(), consumer()
    own = {"group.id": group, **COMMITS_AT_ONCE}
    config = {**broker.client_properties(), **PROMPT, **own}
    # With its first record the writer starts the last of its threads.
    send(writer, topic(), [b"first"])

    def follow(name: str, quiet: float) -> Followed:
        for partition in (0, 1):
            send(writer, name, [b"old-%d" % partition], partition=partition)
        following = iter(solutions.partition_log.follow(config, [name], quiet=quiet))
        seen = list(islice(following, 2))
        members = len(describe_group(admin, group).assignments)
        send(writer, name, [b"new"], partition=1)
        seen += islice(following, 1)
        began = time.monotonic()
        seen += following
        return Followed(seen, time.monotonic() - began, members)

    for quiet in QUIET:
        name, before = topic(partitions=2), client_threads()
        followed = follow(name, quiet)
        left = threads_left(before)
        if len(followed.records) == 3:
            break

    evidence.table("What follow() gave", log_rows(followed.records))
    places = [(each.partition, each.offset, each.value) for each in followed.records]
    assert sorted(places[:2]) == [(0, 0, b"old-0"), (1, 0, b"old-1")], (
        "It begins with the records that were there already, of each partition."
    )
    assert places[2:] == [(1, 1, b"new")], "It goes on with the record that arrives, and then ends."
    assert quiet / 2 < followed.seconds < quiet + IN_TIME, (
        "It ends when nothing has come for as long as asked."
    )
    assert followed.members == 0, "While it reads the group has no member."
    assert committed_offset(observer, name) is None, "Afterwards the group has no commit."
    assert left == 0, "Afterwards no thread of its client is left."
