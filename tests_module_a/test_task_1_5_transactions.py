"""Task 1.5: what does a transaction promise, and what does exactly-once take?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from kafkalab.brokers import Broker
from kafkalab.clients import LAB_CONSUMER
from kafkalab.contracts import ClientConfig
from kafkalab.fixtures import ChildStarter, ConsumerMaker, MembersMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.checks import exact_copy, fate_of
from kafkalab.observe.children import Say, crash
from kafkalab.observe.groups import COOPERATIVE, EAGER, KIP_848, Group, committed_offset
from kafkalab.observe.lag import lag_of
from kafkalab.observe.records import (
    KNOWS_ENDS,
    SENTINEL,
    TEN,
    Record,
    end_transaction,
    error_of,
    events_until,
    init_transactions,
    log_records,
    next_record,
    poll_until,
    position_of,
    read,
    read_on,
    read_settled,
    reading,
    refused_by,
    send,
    take,
    transaction,
    transactional,
    values_by_partition,
    wait_for_end,
    watermarks,
)
from kafkalab.waiting import wait_until


def send_offsets(
    writer: Producer, places: Iterable[tuple[str, int]], metadata: object
) -> KafkaError | None:
    """Send an offset of each place in a transaction of its own; the error, if it is refused."""
    writer.begin_transaction()
    offsets = [TopicPartition(*place, 1) for place in places]
    try:
        writer.send_offsets_to_transaction(offsets, metadata, 20)
    except KafkaException as refused:
        writer.abort_transaction(20)
        error: KafkaError = refused.args[0]
        return error
    writer.commit_transaction(20)
    return None


def errors_with_old_metadata(
    broker: Broker, group: Group, writer: Producer, evidence: Evidence
) -> dict[str, int | None]:
    """What the broker says to metadata from before a second member came.

    The code of the error, or None, for the partition that the first member
    kept, and for the one that moved to the second.
    """
    first = group.add()
    group.wait_for_stable()
    old = first.do(lambda reader: reader.consumer_group_metadata())
    second = group.add()
    group.wait_for_stable()
    errors = {
        "kept": send_offsets(writer, first.assignment, old),
        "moved": send_offsets(writer, second.assignment, old),
    }
    evidence.table(
        f"{kind_of(broker, group)}: offsets sent with metadata from before member-2 joined",
        errors.items(),
        SENT,
    )
    return {each: None if error is None else error.code() for each, error in errors.items()}


SENT: Mapping[str, Callable[[tuple[str, KafkaError | None]], object]] = {
    "offset of": lambda each: f"the partition that was {each[0]}",
    "send_offsets_to_transaction() raised": lambda each: each[1] and each[1].name(),
}


def kind_of(broker: Broker, group: Group) -> str:
    """The version of Kafka and the kind of a group, as captions have them."""
    assignor = group.settings.get("partition.assignment.strategy")
    kind = f"a classic group ({assignor})" if assignor else "a KIP-848 group"
    return f"Kafka {broker.version}, {kind}"


# What a transaction promises


def polled_before_the_last(reader: Consumer, topic: str, evidence: Evidence) -> list[bytes | None]:
    """The values of all that poll() gives before the sentinel, errors too; goes into evidence."""
    reader.assign([TopicPartition(topic, 0)])
    events = events_until(
        reader, lambda got: bool(got) and got[-1].value() == SENTINEL, what="the last record"
    )[:-1]
    evidence.table(
        "All that poll() gave, errors too, before the record that was sent last",
        [{"offset": e.offset(), "value": e.value(), "error": error_of(e)} for e in events],
    )
    return [each.value() for each in events]


@pytest.mark.fact("aborted-is-hidden", scope="read_committed: librdkafka's default, not Java's")
def test_aborted_records_are_hidden(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With `isolation.level=read_committed` a reader never sees records of aborted transactions.

    They stay in the log, and the reader leaves them out.
    """
    name = topic()
    writer = transactional(producer, name)
    transaction(writer, name, [b"a"])
    transaction(writer, name, [b"aborted"], ends_well=False)
    send(producer(), name, [SENTINEL])

    reader = consumer({"isolation.level": "read_committed"})

    seen = polled_before_the_last(reader, name, evidence)
    in_the_log = read(consumer({"isolation.level": "read_uncommitted"}), name)
    evidence.note("In the log: {}", [each.value() for each in in_the_log[:-1]])
    assert seen == [b"a"], "The reader sees the committed record, and nothing else."
    assert in_the_log[1].value() == b"aborted", "The record of the aborted transaction is there."


@pytest.mark.control("aborted-is-hidden", changes="isolation.level=read_uncommitted")
def test_read_uncommitted_sees_aborted_records(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With `isolation.level=read_uncommitted` a reader sees records of aborted transactions."""
    name = topic()
    writer = transactional(producer, name)
    transaction(writer, name, [b"a"])
    transaction(writer, name, [b"aborted"], ends_well=False)
    send(producer(), name, [SENTINEL])

    reader = consumer({"isolation.level": "read_uncommitted"})

    seen = polled_before_the_last(reader, name, evidence)
    assert seen == [b"a", b"aborted"], "The reader sees the aborted record, too."


@pytest.mark.fact("open-transaction-holds-back", scope="read_committed, any client")
def test_an_open_transaction_holds_back_what_follows(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """An open transaction holds back all that follows it in its partition, also of other producers.

    A reader of committed records takes the last stable offset for the end. One
    producer that hangs stops all such readers of the partition, until its
    `transaction.timeout.ms` is over.
    """
    name = topic()
    writer = transactional(producer, name)
    writer.begin_transaction()
    send(writer, name, [b"in a transaction"])
    send(producer(), name, [b"plain"])
    reader, other = consumer(KNOWS_ENDS), consumer({"isolation.level": "read_uncommitted"})

    reader.assign([TopicPartition(name, 0, 0)])
    (event,) = events_until(reader, bool, what="a record, or the end")

    stable, end = watermarks(reader, name)[1], watermarks(other, name)[1]
    evidence.table(
        "The end of the partition, as a consumer sees it",
        [
            {"isolation.level": "read_committed", "end": stable},
            {"isolation.level": "read_uncommitted", "end": end},
        ],
    )
    evidence.note("The first thing that read_committed gets: {}", error_of(event) or "a record")
    error = error_of(event)
    assert error is not None, "The reader gets no record."
    assert error.code() == KafkaError._PARTITION_EOF, "The reader is told that the partition ends."
    assert (event.offset(), stable, end) == (0, 0, 2), (
        "The end that it is told of lies before the two records that are there."
    )


@pytest.mark.control("open-transaction-holds-back", changes="the transaction is committed")
def test_a_commit_shows_what_was_held_back(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """After the commit a reader gets the transaction's record, and what followed it."""
    name, reader = topic(), consumer()
    writer = transactional(producer, name)
    writer.begin_transaction()
    send(writer, name, [b"in a transaction"])
    send(producer(), name, [b"plain"])

    writer.commit_transaction(20)
    seen = [each.value() for each in take(reader, name, 2)]

    evidence.note("Read with read_committed: {}", seen)
    assert seen == [b"in a transaction", b"plain"], "Both records come, in the order of the log."


@pytest.mark.fact("markers-take-offsets", scope="librdkafka")
def test_markers_take_offsets(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """The end of a transaction takes an offset: if you commit after its last record, the lag is 1.

    So a lag that stays at 1 can mean that there is nothing left to read.
    """
    name, reader = topic(), consumer()
    writer = transactional(producer, name)
    transaction(writer, name, [b"a", b"b", b"c"])
    end = wait_for_end(consumer(), name, 4)

    last = take(reader, name, 3)[-1]
    reader.commit(message=last, asynchronous=False)

    lag = lag_of(consumer(), [(name, 0)])[name, 0]
    evidence.table(
        "Three records, and the commit marker, which takes one offset",
        [{"end offset": end, "offset of the last record": last.offset(), "lag": lag}],
        look="The last record has offset 2, and yet the end is 4: the marker that ends the "
        "transaction has offset 3.",
    )
    assert (last.offset(), end) == (2, 4), (
        "Behind the last record, at offset 3, lies the marker of the commit."
    )
    assert lag == 1, "The lag is 1: the marker, which no reader is given."


@pytest.mark.control("markers-take-offsets", changes="the reader polls once more before it commits")
def test_one_more_poll_passes_the_marker(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If you poll once more and commit the position, it is behind the marker, and the lag is 0."""
    name, reader = topic(), consumer()
    writer = transactional(producer, name)
    transaction(writer, name, [b"a", b"b", b"c"])
    wait_for_end(consumer(), name, 4)
    take(reader, name, 3)

    wait_until(
        lambda: (reader.poll(0.02), position_of(reader, name))[1],
        lambda position: position == 4,
        limit=20,
        what="the position to pass the marker",
    )
    reader.commit(asynchronous=False)

    lag = lag_of(consumer(), [(name, 0)])[name, 0]
    evidence.note("The lag: {}", lag)
    assert lag == 0, "The lag is 0."


@pytest.mark.fact("timeout-aborts", scope="librdkafka, transaction.timeout.ms=1000")
@pytest.mark.needs("quick_aborts")
def test_a_transaction_that_takes_too_long_is_aborted(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If a transaction takes longer than its timeout, the broker aborts it and fences its producer.

    The timeout is the producer's `transaction.timeout.ms`, a minute by default.
    """
    name = topic()
    writer = transactional(producer, name, {"transaction.timeout.ms": 1000})
    writer.begin_transaction()
    send(writer, name, [b"too late"])

    started = time.monotonic()
    wait_for_end(consumer(), name, 2)
    seconds = time.monotonic() - started

    refused = refused_by(lambda: writer.commit_transaction(20), lambda: writer.flush(20))
    send(producer(), name, [SENTINEL])
    seen = read_on(consumer(), name)
    evidence.number("the broker had written the abort marker after", round(seconds, 2), "s")
    evidence.note("commit_transaction() raised {}", refused[0])
    evidence.note("Read up to the record that was sent last: {}", seen)
    assert refused[0].code() == KafkaError._FENCED, (
        "The producer's commit is refused, as it was fenced."
    )
    assert seen == [], "A reader of committed records does not get the record."


@pytest.mark.control("timeout-aborts", changes="the commit comes in time")
def test_a_transaction_in_time_is_committed(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If a transaction is committed before its timeout, its records can be read."""
    name = topic()
    writer = transactional(producer, name, {"transaction.timeout.ms": 30_000})
    writer.begin_transaction()
    send(writer, name, [b"in time"])

    writer.commit_transaction(20)

    send(producer(), name, [SENTINEL])
    seen = read_on(consumer(), name)
    evidence.note("Read up to the record that was sent last: {}", seen)
    assert seen == [b"in time"], "The record that was sent is there."


@pytest.mark.fact("zombie-is-fenced", scope="librdkafka's name of the error")
def test_a_zombie_is_fenced(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A second producer with the same `transactional.id` fences the first: it commits nothing more.

    The first one's open transaction is aborted, and at its next flush, begin or
    commit it learns that it is fenced. What it had committed before stays.
    """
    name = topic()
    zombie = transactional(producer, name)
    zombie.begin_transaction()
    send(zombie, name, [b"zombie"])

    second = transactional(producer, name)
    zombie.produce(name, b"zombie again")
    refused = refused_by(
        lambda: zombie.flush(20), lambda: zombie.commit_transaction(20), zombie.begin_transaction
    )

    transaction(second, name, [b"second", SENTINEL])
    seen = read_on(consumer(), name)
    calls = ("flush()", "commit_transaction()", "begin_transaction()")
    evidence.table(
        "What the first producer's calls raised, in their order; its produce() raised nothing",
        [
            {"call": call, "raised": error.name()}
            for call, error in zip(calls, refused, strict=True)
        ],
    )
    evidence.note("Read up to the record that was sent last: {}", seen)
    assert {each.code() for each in refused} == {KafkaError._FENCED}, (
        "Each call of the first producer tells that it was fenced."
    )
    assert seen == [b"second"], "Only the second producer's record is there."


@pytest.mark.control("zombie-is-fenced", changes="the second producer has another transactional.id")
def test_another_transactional_id_lives_beside_it(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Two producers with different `transactional.id` do not disturb each other: both commit."""
    name = topic()
    first = transactional(producer, name)
    first.begin_transaction()
    send(first, name, [b"first"])

    second = transactional(producer, f"{name}-second")
    first.produce(name, b"first again")
    first.flush(20)
    first.commit_transaction(20)

    transaction(second, name, [b"second", SENTINEL])
    seen = read_on(consumer(), name)
    evidence.note("Read up to the record that was sent last: {}", seen)
    assert seen == [b"first", b"first again", b"second"], "The records of both producers are there."


# What exactly-once takes


def copy_one_by_one(reader: Consumer, writer: Producer, target: str, ends: Sequence[bool]) -> None:
    """Copy a record for each end: in a transaction with its offset, which ends well or not."""
    for ends_well in ends:
        record = next_record(reader)
        writer.begin_transaction()
        send(writer, target, [record.value() or b""])
        writer.send_offsets_to_transaction(
            next_offsets([record]), reader.consumer_group_metadata(), 20
        )
        end_transaction(writer, ends_well=ends_well)


def next_offsets(records: Sequence[Message]) -> list[TopicPartition]:
    """For each partition the offset after the last of these records."""
    following = {
        (each.topic() or "", each.partition() or 0): (each.offset() or 0) + 1 for each in records
    }
    return [TopicPartition(*place, offset) for place, offset in following.items()]


@pytest.mark.fact("abort-does-not-rewind", scope="any client")
def test_an_abort_does_not_rewind(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """An abort undoes the commit, not the position: if you simply read on, its records are lost.

    The consumer's position is behind the records of the aborted transaction,
    and the next transaction commits past them.
    """
    source, target = topic(), topic()
    send(producer(), source, TEN)
    reader, writer = consumer(), transactional(producer, target)
    reader.assign([TopicPartition(source, 0)])
    copy_one_by_one(reader, writer, target, [True, True, True, False])
    position, committed = position_of(reader, source), committed_offset(consumer(), source)

    copy_one_by_one(reader, writer, target, [True] * 6)

    copied = [each.value() for each in read_settled(consumer, target, 0)]
    after = committed_offset(consumer(), source)
    evidence.table(
        "After the abort of record 3, and no seek()",
        [{"position": position, "offset committed": committed}],
    )
    evidence.table(
        "After six more records", [{"records in the copy": copied, "offset committed": after}]
    )
    assert (position, committed) == (4, 3), (
        "The abort took the commit back, and left the position as it was."
    )
    assert copied == [*TEN[:3], *TEN[4:]], "Record 3 is missing in the copy."
    assert after == 10, "All ten records are committed as done."


@pytest.mark.control("abort-does-not-rewind", changes="the consumer seeks to the committed offset")
def test_seeking_after_an_abort_loses_nothing(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If you seek to the committed offset after an abort, you copy every record once."""
    source, target = topic(), topic()
    send(producer(), source, TEN)
    reader, writer = consumer(), transactional(producer, target)
    reader.assign([TopicPartition(source, 0)])
    copy_one_by_one(reader, writer, target, [True, True, True, False])

    reader.seek(TopicPartition(source, 0, committed_offset(reader, source) or 0))
    copy_one_by_one(reader, writer, target, [True] * 7)

    copied = [each.value() for each in read_settled(consumer, target, 0)]
    evidence.table("At the end", [{"records in the copy": copied}])
    assert copied == TEN, "The copy has each record once."


def copy_in_transactions(
    say: Say, config: ClientConfig, source: str, target: str, offsets: str, crash_when: str | None
) -> None:
    """Copy two partitions of six records each, two records a transaction.

    Args:
        say: told of each record that is taken up.
        config: a consumer's; the transactional id is its group's name.
        source: where the records are.
        target: where they go, to the same partition.
        offsets: when they are committed: within the transaction, before it, or after it.
        crash_when: at which point of its second transaction to crash, if at all.
    """
    of_consumers = {*LAB_CONSUMER, "group.id"}
    client = {name: value for name, value in config.items() if name not in of_consumers}
    writer = Producer({**client, "transactional.id": config["group.id"]})
    # First this, which ends what a process before it left open, then where that one came to.
    init_transactions(writer)
    reader = Consumer(dict(config))
    places = reader.committed([TopicPartition(source, each) for each in (0, 1)], timeout=20)
    for place in places:
        place.offset = max(place.offset, 0)
    left = 12 - sum(place.offset for place in places)
    reader.assign(places)

    def reached(number: int, point: str) -> None:
        if (number, point) == (2, crash_when):
            crash()

    for number in range(1, left // 2 + 1):
        records = poll_until(reader, lambda polled: len(polled) == 2, what="two records")
        for record in records:
            say(record.value())
        following = next_offsets(records)
        if offsets == "before":
            reader.commit(offsets=following, asynchronous=False)
        writer.begin_transaction()
        reached(number, "begun")
        for record in records:
            writer.produce(target, record.value(), record.key(), partition=record.partition() or 0)
        writer.flush(20)
        reached(number, "produced")
        if offsets == "within":
            writer.send_offsets_to_transaction(following, reader.consumer_group_metadata(), 20)
        reached(number, "offsets sent")
        writer.commit_transaction(20)
        reached(number, "committed")
        if offsets == "after":
            reader.commit(offsets=following, asynchronous=False)


# Where copy_in_transactions crashes, and what stands in the evidence for it.
WHEN_KILLED = {
    "begun": "after the begin",
    "produced": "after the flush",
    "offsets sent": "after the offsets were sent",
    "committed": "after the commit",
}


def orders(partition: int) -> list[Record]:
    """Six records of one partition, of one key."""
    key = b"order-%d" % partition
    return [Record(b"%d-%d" % (partition, number), key) for number in range(6)]


@pytest.mark.fact("exactly-once-copies-exactly", scope="read, process, write, all in Kafka")
def test_exactly_once_copies_exactly(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
) -> None:
    """With the offsets in the transaction a copy is exact, wherever the process is killed.

    The records and the offsets are committed together or not at all. This holds
    from Kafka to Kafka, for readers of committed records.
    """
    source, target = topic(partitions=2), topic(partitions=2)
    for partition in (0, 1):
        send(producer(), source, orders(partition), partition=partition)
    points = tuple(WHEN_KILLED)
    config = reading(broker, group)

    said = [
        child(copy_in_transactions, config, source, target, "within", point).wait_for_crash()
        for point in points
    ]
    said.append(child(copy_in_transactions, config, source, target, "within", None).wait())

    original, copied = read(consumer(), source, 0, 1), read_settled(consumer, target, 0, 1)
    copies = values_by_partition(copied)
    rows = [
        {
            "killed in its second transaction": when,
            "records polled": values,
            "how many": len(values),
        }
        for when, values in zip((*WHEN_KILLED.values(), "never"), said, strict=True)
    ]
    evidence.table(
        "Five processes, one after the other (record 0-3 is number 3 of partition 0)",
        rows,
        look="Each row is a process that was killed at another step; it polled what the one"
        " before had not committed.",
    )
    evidence.table(
        "The copy",
        [{"partition": p, "records": v, "how many": len(v)} for p, v in copies.items()],
        look="Compare with the records that were polled, some of them twice.",
    )
    taken_up, there = sum(map(len, said)), sum(map(len, copies.values()))
    evidence.note("Polled in all: {}; in the copy: {}", taken_up, there)
    assert sum(map(len, said)) == 12 + 3 * 2, (
        "Three of the four crashes undo two records, which are polled again."
    )
    assert copies == values_by_partition(original), (
        "The copy has the same values as the source, in order, each once."
    )
    exact_copy(log_records(original), log_records(copied)).require()


@pytest.mark.control("exactly-once-copies-exactly", changes="offsets are committed by themselves")
@pytest.mark.parametrize(
    ("offsets", "point", "lost", "repeated"),
    [("before", "produced", 2, 0), ("after", "committed", 0, 2)],
    ids=["before the transaction", "after the transaction"],
)
def test_offsets_outside_the_transaction_lose_or_repeat(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    child: ChildStarter,
    group: str,
    evidence: Evidence,
    offsets: str,
    point: str,
    lost: int,
    repeated: int,
) -> None:
    """If offsets are committed outside the transaction, a crash loses records or copies them twice.

    If they are committed before it, a crash undoes the records and not the
    offsets. If they are to be committed after it, a crash can prevent that.
    """
    source, target = topic(partitions=2), topic(partitions=2)
    for partition in (0, 1):
        send(producer(), source, orders(partition), partition=partition)
    config = reading(broker, group)

    crashing = child(copy_in_transactions, config, source, target, offsets, point)
    of_the_second = crashing.wait_for_crash()[2:]
    child(copy_in_transactions, config, source, target, offsets, None).wait()

    original, copied = read(consumer(), source, 0, 1), read_settled(consumer, target, 0, 1)
    fate = fate_of(*([each.value() or b"" for each in log] for log in (original, copied)))
    evidence.table(
        f"The copy; the process was killed {WHEN_KILLED[point]}, its offsets were to be committed "
        f"{offsets} the transaction",
        [{"records of its second transaction": of_the_second} | fate.row],
    )
    assert (len(fate.lost), len(fate.repeated)) == (lost, repeated), (
        f"{lost} records are lost, and {repeated} are copied twice."
    )
    assert sorted(fate.lost + fate.repeated) == sorted(of_the_second), (
        "These are the records of the transaction in which the process was killed."
    )


@pytest.mark.fact("stale-generation-in-a-transaction", scope="classic and KIP-848")
@pytest.mark.parametrize(
    "protocol", [EAGER, COOPERATIVE, KIP_848], ids=["eager", "cooperative", "KIP-848"]
)
def test_offsets_of_a_stale_generation_are_refused(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    members: MembersMaker,
    evidence: Evidence,
    protocol: ClientConfig,
) -> None:
    """With the group's metadata from before a rebalance the offset of a moved partition is refused.

    So two processes cannot both copy the records of that partition.
    """
    name = topic(partitions=2)
    group, writer = members(protocol, name, partitions=2), transactional(producer, name)

    errors = errors_with_old_metadata(broker, group, writer, evidence)

    assert errors["moved"] == KafkaError.ILLEGAL_GENERATION, (
        "The offset of the partition that moved is refused, as the generation is over."
    )


@pytest.mark.control("stale-generation-in-a-transaction", changes="the metadata is fresh")
@pytest.mark.parametrize(
    "protocol", [EAGER, COOPERATIVE, KIP_848], ids=["eager", "cooperative", "KIP-848"]
)
def test_offsets_of_the_present_generation_are_taken(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    members: MembersMaker,
    evidence: Evidence,
    protocol: ClientConfig,
) -> None:
    """With fresh metadata of the group all offsets are taken: get it anew for each transaction."""
    name = topic(partitions=2)
    group, writer = members(protocol, name, partitions=2), transactional(producer, name)
    first = group.add()
    group.wait_for_stable()
    second = group.add()
    group.wait_for_stable()
    fresh = first.do(lambda reader: reader.consumer_group_metadata())

    errors = {
        "kept": send_offsets(writer, first.assignment, fresh),
        "moved": send_offsets(writer, second.assignment, fresh),
    }

    evidence.table(
        f"{kind_of(broker, group)}: offsets sent with metadata from after member-2 joined",
        errors.items(),
        SENT,
    )
    assert errors == {"kept": None, "moved": None}, "The offsets of both partitions are taken."


@pytest.mark.fact("old-metadata-for-what-stayed", scope="KIP-848 with KIP-1251", versions=">=4.3")
def test_old_metadata_is_good_for_what_stayed(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    members: MembersMaker,
    evidence: Evidence,
) -> None:
    """A KIP-848 group accepts offsets with its old metadata for a partition that did not move.

    The broker remembers since which epoch a member has each partition.
    """
    name = topic(partitions=2)
    group, writer = members(KIP_848, name, partitions=2), transactional(producer, name)

    errors = errors_with_old_metadata(broker, group, writer, evidence)

    assert errors == {"kept": None, "moved": KafkaError.ILLEGAL_GENERATION}, (
        "Only the offset of the partition that moved is refused."
    )


@pytest.mark.control("old-metadata-for-what-stayed", changes="the group is classic")
@pytest.mark.parametrize("protocol", [EAGER, COOPERATIVE], ids=["eager", "cooperative"])
def test_classic_groups_refuse_old_metadata_altogether(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    members: MembersMaker,
    evidence: Evidence,
    protocol: ClientConfig,
) -> None:
    """A classic group refuses all offsets with its old metadata, wherever the partition is."""
    name = topic(partitions=2)
    group, writer = members(protocol, name, partitions=2), transactional(producer, name)

    errors = errors_with_old_metadata(broker, group, writer, evidence)

    assert set(errors.values()) == {KafkaError.ILLEGAL_GENERATION}, (
        "The offsets of both partitions are refused."
    )


@pytest.mark.fact("old-metadata-before-kip-1251", scope="KIP-848", versions="<4.3")
def test_old_metadata_is_good_for_nothing_before_kip_1251(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    members: MembersMaker,
    evidence: Evidence,
) -> None:
    """Before KIP-1251 a KIP-848 group refuses all offsets with its old metadata.

    The broker compares the member's epoch, and knows no epoch of a partition.
    """
    name = topic(partitions=2)
    group, writer = members(KIP_848, name, partitions=2), transactional(producer, name)

    errors = errors_with_old_metadata(broker, group, writer, evidence)

    assert set(errors.values()) == {KafkaError.ILLEGAL_GENERATION}, (
        "The offsets of both partitions are refused."
    )
