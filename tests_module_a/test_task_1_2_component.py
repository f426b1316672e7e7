"""Task 1.2, the component: the partition functions, `publish` and `distribution`.

They are kafkalab's own or, with `--kafkalab-solutions`, yours.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kafkalab.brokers import Broker, Termination
from kafkalab.contracts.routing import PUBLISH_LIMIT, KeyedRecord, PublishFailed, Report
from kafkalab.demo import orders, user_events
from kafkalab.fixtures import ConsumerMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.client_threads import client_threads, threads_left
from kafkalab.observe.records import BY_KEY, DeliveryReport, Record, read, send
from kafkalab.observe.refusals import error_kind, must_raise
from kafkalab.observe.topics import describe_topic
from kafkalab.solutions import Solutions


def hostile_keys(count: int) -> list[bytes]:
    """Keys of all kinds: empty, text of many scripts, binary, and some up to 64 KiB."""
    dice = random.Random(43)
    texts = ["", "0", "user-1", "Jürgen", "東京", "مرحبا", "🦊" * 7, "a\x00b", "\u202e"]
    sizes = [1 << power for power in range(17)]
    large = [dice.randbytes(size) for size in sizes]
    small = [dice.randbytes(dice.randint(1, 64)) for _ in range(count)]
    return [*(text.encode() for text in texts), *large, *small]


def mispredicted(
    deliveries: Sequence[DeliveryReport], predict: Callable[[bytes, int], int], partitions: int
) -> list[tuple[bytes, int, int]]:
    """Keys that are not where the function said: key (its first bytes), said, found."""
    return [
        (each.key[:20], said, each.partition)
        for each in deliveries
        if each.key is not None and (said := predict(each.key, partitions)) != each.partition
    ]


@pytest.mark.fact("crc32-partition-predicts", scope="the component routing")
@pytest.mark.parametrize("partitions", [1, 3, 7, 50])
def test_crc32_partition_predicts_the_default(
    topic: TopicMaker,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
    partitions: int,
) -> None:
    """The CRC32 function predicts in which partition `consistent` puts each of 2,000 keys.

    Among them are an empty key, text of many scripts, binary keys and one of 64
    KiB.
    """
    name, keys = topic(partitions=partitions), hostile_keys(2_000)
    writer = producer({"partitioner": "consistent"})

    deliveries = send(writer, name, [Record(b"x", key) for key in keys], partition=BY_KEY)

    missed = mispredicted(deliveries, solutions.routing.crc32_partition, partitions)
    evidence.table(
        "Eight of the keys: what the component says, and what the broker's report names",
        deliveries[:8],
        {
            "key": "key",
            "said": lambda each: solutions.routing.crc32_partition(each.key, partitions),
            "partition": "partition",
        },
    )
    evidence.number("keys elsewhere than predicted", len(missed), f"of {len(deliveries)}")
    assert missed == [], (
        f"With {partitions} partitions every key is where the function says: (key, said, found)."
    )


@pytest.mark.fact("murmur2-partition-predicts", scope="the component routing")
@pytest.mark.parametrize("partitions", [1, 3, 7, 50])
def test_murmur2_partition_predicts_java(
    topic: TopicMaker,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
    partitions: int,
) -> None:
    """The murmur2 function predicts in which partition `murmur2` puts each of 2,000 keys.

    Half of all hashes have their sign bit set, so a wrong sign shows at once.
    """
    name, keys = topic(partitions=partitions), hostile_keys(2_000)
    writer = producer({"partitioner": "murmur2"})

    deliveries = send(writer, name, [Record(b"x", key) for key in keys], partition=BY_KEY)

    missed = mispredicted(deliveries, solutions.routing.murmur2_partition, partitions)
    evidence.table(
        "Eight of the keys: what the component says, and what the broker's report names",
        deliveries[:8],
        {
            "key": "key",
            "said": lambda each: solutions.routing.murmur2_partition(each.key, partitions),
            "partition": "partition",
        },
    )
    evidence.number("keys elsewhere than predicted", len(missed), f"of {len(deliveries)}")
    assert missed == [], (
        f"With {partitions} partitions every key is where the function says: (key, said, found)."
    )


# A loaded machine is slow, which says nothing about the code.
AT_ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.fact("partition-functions-agree", scope="the component routing")
@AT_ANY_SPEED
@given(key=st.binary(max_size=100) | st.text(max_size=30), partitions=st.integers(1, 1_000))
def test_partition_functions_agree_with_the_clients_own(
    solutions: Solutions, key: bytes | str, partitions: int
) -> None:
    """Both functions give the same partition as the client's own, for any key, text or bytes.

    Text counts as its UTF-8. If `ü` is written in another encoding, it is
    another key.
    """
    encoded = key.encode("utf-8") if isinstance(key, str) else key

    crc32_said = solutions.routing.crc32_partition(key, partitions)
    murmur2_said = solutions.routing.murmur2_partition(key, partitions)

    asked = f"the key {key!r} and {partitions} partitions"
    crc32 = confluent_kafka.consistent(encoded, partitions)
    murmur2 = confluent_kafka.murmur2(encoded, partitions)
    assert crc32_said == crc32, f"The function gives librdkafka's CRC32 partition for {asked}."
    assert murmur2_said == murmur2, (
        f"The function gives librdkafka's murmur2 partition for {asked}."
    )


@pytest.mark.fact("no-key-has-no-place", scope="the component routing")
@pytest.mark.parametrize("function", ["crc32_partition", "murmur2_partition"])
def test_what_has_no_place_is_refused(
    solutions: Solutions, evidence: Evidence, function: str
) -> None:
    """If there is no key, or no partition, a function refuses to name a place.

    Without a key a record may go anywhere: a number would look as if it were
    known.
    """
    place = getattr(solutions.routing, function)
    asked = [(None, 3), (7, 3), (["user-1"], 3), ("user-1", 0), (b"user-1", -3)]

    refused = [
        (key, partitions, error_kind(partial(place, key, partitions), ValueError, TypeError))
        for key, partitions in asked
    ]

    evidence.table(
        "What was refused",
        [{"key": key, "partitions": n, "error": error} for key, n, error in refused],
    )
    for key, partitions, error in refused:
        wanted = "ValueError" if partitions < 1 else "TypeError"
        assert error == wanted, (
            f"For the key {key!r} and {partitions} partitions there is a {wanted}."
        )


@pytest.mark.fact("keys-are-encoded-one-way", scope="the component routing")
def test_keys_are_encoded_in_one_way(
    broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """A key that is text is sent as UTF-8, a key of bytes as it is, and no key as null."""
    name, keys = topic(), ["user-1", "Jürgen", "東京", "", b"\xff\x00", b"", None]
    records = [KeyedRecord(name, key, b"x") for key in keys]

    reports = solutions.routing.publish(broker.client_properties(), records)

    read_keys = [each.key() for each in read(consumer(), name)]
    assert len(read_keys) == len(keys), (
        f"All {len(keys)} records are in the log; {len(read_keys)} were found."
    )
    evidence.table(
        "Keys", [{"given": g, "in the log": r} for g, r in zip(keys, read_keys, strict=True)]
    )
    sent = [b"user-1", "Jürgen".encode(), "東京".encode(), b"", b"\xff\x00", b"", None]
    assert read_keys == sent, "In the log each key is UTF-8, bytes or null, as it was given."
    assert [each.key for each in reports] == sent, "In the reports each key is as it is in the log."


def report_rows(reports: Sequence[Report]) -> list[dict[str, object]]:
    """The component's reports as rows of evidence."""
    return [
        {"key": e.key, "partition": e.partition, "offset": e.offset, "error": e.error}
        for e in reports
    ]


@pytest.mark.fact("publish-reports-each-record", scope="the component routing")
def test_publish_reports_each_record_once(
    broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """Publishing reports each record once, with its partition, offset and time in the log."""
    users, shop = topic(partitions=3), topic(partitions=4)
    records = [*user_events(topic=users), *orders(topic=shop, count=5)]

    reports = solutions.routing.publish(broker.client_properties(), records)

    reader = consumer()
    stored = {
        (each.topic(), each.partition(), each.offset()): (each.key(), each.timestamp()[1])
        for name, partitions in ((users, range(3)), (shop, range(4)))
        for each in read(reader, name, *partitions)
    }
    reported = {
        (each.topic, each.partition, each.offset): (each.key, each.timestamp_ms) for each in reports
    }
    evidence.table("The first ten reports", report_rows(reports[:10]))
    assert len(reports) == len(records) == 80, "There is one report for each of the 80 records."
    assert reported == stored, "Each report names the place and the time that its key has there."
    for place in {(each.topic, each.partition) for each in reports}:
        offsets = [each.offset or 0 for each in reports if (each.topic, each.partition) == place]
        assert offsets == sorted(offsets), "Inside a partition the reports come in order."
    assert [each for each in reports if each.error is not None] == [], "No report has an error."


@pytest.mark.fact("publish-sends-the-whole-record", scope="the component routing")
def test_publish_sends_the_whole_record(
    broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """Values and headers arrive as they were given: None is no empty value, and order stays.

    A value of None is a deletion. A header's name may come twice.
    """
    name = topic()
    records = [
        KeyedRecord(name, "deleted", None),
        KeyedRecord(name, "empty", b""),
        KeyedRecord(name, "binary", b"\x00\xff"),
        KeyedRecord(name, "headers", b"x", (("b", b"2"), ("a", b"\xff"), ("b", None), ("c", b""))),
    ]

    solutions.routing.publish(broker.client_properties(), records)

    arrived = read(consumer(), name)
    evidence.table(
        "In the log",
        [{"key": m.key(), "value": m.value(), "headers": m.headers()} for m in arrived],
    )
    assert [each.value() for each in arrived] == [each.value for each in records], (
        "Each value is in the log as it was given: null, empty or bytes."
    )
    headers = [tuple(each.headers() or ()) for each in arrived]
    assert headers == [each.headers for each in records], (
        "Each record has its headers, in their order, with their values."
    )


@pytest.mark.fact("records-are-taken-once", scope="the component routing")
def test_records_are_taken_once(
    broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """publish() takes records from a generator once, and lets out what the generator raises.

    A generator that is gone through twice is empty the second time. What cannot be
    used, a key that is a number or a setting that the client does not have, is
    refused by an error of its own kind.
    """
    name, config, publish = topic(), broker.client_properties(), solutions.routing.publish

    def some(*, ends_well: bool) -> Iterator[KeyedRecord]:
        yield KeyedRecord(name, "user-1", b"a")
        yield KeyedRecord(name, "user-2", b"b")
        if not ends_well:
            raise LookupError("no more records")

    def refusal(config: Mapping[str, Any], *keys: Any) -> str:
        some = [KeyedRecord(name, key, b"x") for key in keys]
        call = partial(publish, config, some, limit=1)
        return error_kind(call, TypeError, KafkaException, PublishFailed)

    none = publish(NO_BROKER, iter(()), limit=1)
    odd_setting = refusal({**config, "no.such.setting": "1"}, "user-1")
    began = time.monotonic()
    far_away = refusal(NO_BROKER, "user-1", 7)
    seconds = time.monotonic() - began
    reports = publish(config, some(ends_well=True))
    with must_raise(
        LookupError,
        sentence="An error that the generator of the records raises comes out of publish().",
    ) as raised:
        publish(config, some(ends_well=False))
    refused = {"a number": refusal(config, 7), "a list": refusal(config, [b"k"])}

    values = [each.value() for each in read(consumer(), name)]
    evidence.note("In the log: {}; raised: {}; other keys: {}", values, raised.value, refused)
    assert none == [], "Without records there are no reports, and no broker is needed."
    assert [each.key for each in reports] == [b"user-1", b"user-2"], (
        "Both records of a generator are reported."
    )
    assert values[:2] == [b"a", b"b"], "Both records are in the log."
    assert set(refused.values()) == {"TypeError"}, (
        "A key that is neither text nor bytes nor None is refused by a TypeError."
    )
    # Who waits for each report finds the limit passed before the odd key comes.
    assert far_away in ("TypeError", "PublishFailed"), (
        "Such a key is refused also if no broker is there."
    )
    assert seconds < IN_TIME, "Such a key ends the call within its limit, also without a broker."
    assert odd_setting == "KafkaException", (
        "A setting that the client does not have is refused by its KafkaException."
    )


@pytest.mark.fact("settings-stay-the-callers", scope="the component routing, two brokers")
@pytest.mark.cluster(brokers=2)
def test_settings_stay_the_callers(
    private_broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """publish() keeps what the caller's settings say: of acknowledgements, time, size and so on.

    With acks=all a record counts when each replica in sync has it; with acks=0
    nobody asks. Here one of two replicas is gone, and no leader has noticed yet.
    """
    name, copied, small = (
        topic(partitions=7),
        topic(replicas=2),
        topic(settings={"max.message.bytes": "10000"}),
    )
    config = {**private_broker.client_properties(), "compression.type": "none"}
    records = [KeyedRecord(name, f"user-{number}", b"x") for number in range(20)]
    given = {**config, "partitioner": "murmur2"}
    before = dict(given)
    murmur2 = solutions.routing.publish(given, records)
    long = [KeyedRecord(small, "k", b"x" * 100_000)]
    as_it_is = reports_of(solutions, config, long)
    packed = reports_of(solutions, {**config, "compression.type": "gzip"}, long)
    refused = reports_of(
        solutions, {**config, "compression.type": "gzip", "message.max.bytes": 50_000}, long
    )
    began = time.monotonic()
    expired = failure_of(solutions, {**NO_BROKER, "message.timeout.ms": 300}, records[:1])
    seconds = time.monotonic() - began
    leader = describe_topic(admin, copied).partitions[0].leader.id
    (follower,) = set(private_broker.node_ids) - {leader}

    private_broker.kill(follower, Termination.ABRUPT)
    patient = {**config, "acks": "all", "message.timeout.ms": 1_000}
    failed = failure_of(solutions, patient, [KeyedRecord(copied, "k", b"x")])
    unasked = solutions.routing.publish({**config, "acks": "0"}, [KeyedRecord(copied, "k", b"x")])

    evidence.table("With the partitioner murmur2", report_rows(murmur2))
    evidence.note("With acks=all, while one of two replicas is gone: {}", failed)
    evidence.table("With acks=0", report_rows(unasked))
    evidence.note("With message.timeout.ms=300, after {} s: {}", round(seconds, 1), expired)
    keys = [f"user-{number}".encode() for number in range(20)]
    assert {each.key: each.partition for each in murmur2} == {
        key: confluent_kafka.murmur2(key, 7) for key in keys
    }, "Each record is where the partitioner of the settings puts it."
    assert given == before, "The caller's own dictionary of settings is as it was."
    assert [each[0].error is None for each in (as_it_is, packed, refused)] == [
        False,
        True,
        False,
    ], (
        "A long record is refused as it is, taken if the settings compress it, "
        "and refused if message.max.bytes does not allow it."
    )
    # The client looks once a second which records have expired; the limit is 20 s.
    assert seconds < IN_TIME, "A record fails after the time that message.timeout.ms says."
    assert len(failed.reports) == 1, "With acks=all the one record is reported as failed."
    assert len(unasked) == 1, "With acks=0 the one record is reported."
    assert (unasked[0].offset, unasked[0].error) == (None, None), (
        "With acks=0 there is no error, and nobody knows the offset."
    )


def failure_of(
    solutions: Solutions,
    config: Mapping[str, Any],
    records: Sequence[KeyedRecord],
    limit: float = 20,
    *,
    one_by_one: bool = False,
) -> PublishFailed:
    """The failure with which publishing must end."""
    with must_raise(
        PublishFailed,
        sentence="publish() raises PublishFailed, since not every record was acknowledged as the "
        "caller's settings ask.",
    ) as raised:
        solutions.routing.publish(config, records, one_by_one=one_by_one, limit=limit)
    failed: PublishFailed = raised.value
    return failed


def reports_of(
    solutions: Solutions,
    config: Mapping[str, Any],
    records: Sequence[KeyedRecord],
    limit: float = PUBLISH_LIMIT,
    *,
    one_by_one: bool = False,
) -> list[Report]:
    """The reports of publishing, whether it failed or not."""
    try:
        return list(solutions.routing.publish(config, records, one_by_one=one_by_one, limit=limit))
    except PublishFailed as failed:
        return failed.reports


# Port 1 of this machine: nobody listens there.
NO_BROKER = {"bootstrap.servers": "127.0.0.1:1", "log_level": "0"}

# Seconds by when a call that has 0.3 s has given up, on a loaded machine, too. If each of 60
# records had 0.3 s, it would take 18 s.
IN_TIME = 8


@pytest.mark.fact("reports-follow-the-acknowledgement", scope="the component routing")
def test_reports_follow_the_acknowledgement(solutions: Solutions, evidence: Evidence) -> None:
    """A record counts as published when the broker has acknowledged it, not when it was produced.

    Here no broker answers. The client's queue takes the records all the same,
    and none is ever acknowledged.
    """
    records = [KeyedRecord("nowhere", f"user-{number}", b"x") for number in range(3)]

    failed = failure_of(solutions, NO_BROKER, records, limit=0.3)

    evidence.note("Publishing raised: {}", failed)
    assert len(failed.reports) == 3, "Each of the three records is reported."
    assert [each for each in failed.reports if each.error is None] == [], (
        "No record is reported as a success."
    )
    assert [each.offset for each in failed.reports] == [None, None, None], (
        "No record is reported with an offset."
    )


@pytest.mark.fact("what-was-given-up-is-reported", scope="the component routing")
def test_what_was_given_up_is_reported(solutions: Solutions, evidence: Evidence) -> None:
    """If the limit passes, each record is reported, also one that found no room in the queue.

    The limit is for the whole call, and not for each record.
    """
    records = [KeyedRecord("nowhere", f"user-{number}", b"x") for number in range(60)]
    ways: dict[str, tuple[dict[str, Any], bool]] = {
        "with a queue of 10": ({**NO_BROKER, "queue.buffering.max.messages": 10}, False),
        "one by one": (NO_BROKER, True),
    }

    for way, (config, one_by_one) in ways.items():
        began = time.monotonic()
        failed = failure_of(solutions, config, records, limit=0.3, one_by_one=one_by_one)
        seconds = time.monotonic() - began

        evidence.note("Given up {}, after {} s: {}", way, round(seconds, 1), failed)
        assert sorted(each.key or b"" for each in failed.reports) == sorted(
            f"user-{number}".encode() for number in range(60)
        ), f"Each of the 60 records is reported once, {way}."
        assert [each for each in failed.reports if each.error is None] == [], (
            "Each report has an error."
        )
        assert seconds < IN_TIME, f"The limit is for the whole call, also {way}."


@pytest.mark.fact("what-is-on-its-way-is-reported", scope="the component routing, two brokers")
@pytest.mark.cluster(brokers=2, settings={"broker.session.timeout.ms": "60000"})
def test_what_is_on_its_way_is_reported(
    private_broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """If a record is on its way to the broker when the limit passes, it is reported as failed.

    The leader has the record, and does not answer: with acks=all it waits for a
    replica that is gone, of which nobody knows yet.
    """
    name = topic(replicas=2)
    config = {**private_broker.client_properties(), "acks": "all"}
    leader = describe_topic(admin, name).partitions[0].leader.id
    (follower,) = set(private_broker.node_ids) - {leader}
    private_broker.kill(follower, Termination.ABRUPT)

    reports = reports_of(solutions, config, [KeyedRecord(name, "user-1", b"x")], limit=1)

    evidence.table("The reports", report_rows(reports))
    assert [(each.topic, each.key) for each in reports] == [(name, b"user-1")], (
        "A record that was sent, and not yet acknowledged, is reported, too."
    )
    assert [each.error is not None for each in reports] == [True], "It is reported as failed."


@pytest.mark.fact("publish-gives-up-within-its-limit", scope="the component routing")
@pytest.mark.needs("restart")
def test_publish_gives_up_within_its_limit(
    private_broker: Broker, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """If the broker goes away, publishing fails within its limit, and names what failed."""
    name = topic()
    records = [KeyedRecord(name, f"user-{number}", b"x") for number in range(3)]
    delivered = solutions.routing.publish(private_broker.client_properties(), records)

    private_broker.kill(private_broker.node_ids[0], Termination.ABRUPT)
    started = time.monotonic()
    failed = failure_of(solutions, private_broker.client_properties(), records, limit=1)
    seconds = time.monotonic() - started

    evidence.table("Limit and time", [{"limit": 1, "seconds": round(seconds, 1)}])
    evidence.note("Publishing raised: {}", failed)
    assert len(delivered) == 3, "While the broker is there, all records are published."
    # 20 s: the limit, and plenty for a loaded machine; a client of its own accord waits 5 minutes.
    assert seconds < 20, "publish() does not wait much longer than its limit."
    assert {each.key for each in failed.reports} == {b"user-0", b"user-1", b"user-2"}, (
        "Each record that failed is reported with its key."
    )


@pytest.mark.fact("a-refused-record-fails-the-call", scope="the component routing")
def test_a_refused_record_fails_the_call_and_hides_no_other(
    broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """If a record is refused, the call fails with its key and error; the others are published.

    The client refuses one record in `produce()`, and the broker refuses another
    in its report.
    """
    name, small = topic(), topic(settings={"max.message.bytes": "1000"})
    config = {**broker.client_properties(), "compression.type": "none"}
    records = [
        KeyedRecord(name, "before", b"x"),
        KeyedRecord(name, "too large for the client", b"x" * 2_000_000),
        KeyedRecord(small, "too large for the topic", b"x" * 2_000),
        KeyedRecord(name, "after", b"x"),
    ]

    failed = failure_of(solutions, config, records)

    evidence.table("Reports", report_rows(failed.reports))
    errors = {
        (each.topic, each.key): each.error.code()
        for each in failed.reports
        if each.error is not None
    }
    assert errors == {
        (name, b"too large for the client"): KafkaError.MSG_SIZE_TOO_LARGE,
        (small, b"too large for the topic"): KafkaError.MSG_SIZE_TOO_LARGE,
    }, "Both refused records are reported, each with its topic, its key and its reason."
    assert len(failed.reports) == 4, "All four records are reported."
    places = [
        (each.partition, each.offset, each.timestamp_ms)
        for each in failed.reports
        if each.error is not None
    ]
    assert places == [(None, None, None)] * 2, "A record that failed has no place and no time."
    assert [each.key() for each in read(consumer(), name)] == [b"before", b"after"], (
        "The other two records are in the log."
    )


@pytest.mark.fact("a-full-queue-is-waited-out", scope="the component routing")
def test_a_full_queue_is_waited_out(
    broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """If there are more records than the client's queue holds, all are published, in order."""
    name, late = topic(), topic()
    records = [KeyedRecord(name, "user-1", b"%d" % number) for number in range(200)]
    config = {**broker.client_properties(), "queue.buffering.max.messages": 10}
    some = [KeyedRecord(late, "user-1", b"%d" % number) for number in range(12)]

    reports = solutions.routing.publish(config, records)
    patient = reports_of(solutions, {**config, "linger.ms": 2_000}, some)

    values = [each.value() for each in read(consumer(), name)]
    evidence.table("200 records, a queue of 10", [{"reports": len(reports), "log": len(values)}])
    evidence.table("12 records, a queue of 10 that waits 2 s for more", report_rows(patient))
    assert len(reports) == 200, "Each of the 200 records is reported."
    assert values == [each.value for each in records], "Each record is in the log once, in order."
    assert [each for each in patient if each.error is not None] == [], (
        "Only the limit ends the waiting for room: here it comes after 2 s."
    )


@pytest.mark.fact("batched-and-single-agree", scope="the component routing")
def test_batched_and_single_publishing_give_the_same_log(
    broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """Records that are published in batches make the same log as those published one by one."""
    batched, single, reader = topic(partitions=3), topic(partitions=3), consumer()
    seconds = {}

    for name, one_by_one in ((batched, False), (single, True)):
        started = time.monotonic()
        solutions.routing.publish(
            broker.client_properties(), user_events(topic=name), one_by_one=one_by_one
        )
        seconds[name] = time.monotonic() - started

    logs = {
        name: [(m.partition(), m.offset(), m.key(), m.value()) for m in read(reader, name, 0, 1, 2)]
        for name in (batched, single)
    }
    evidence.table(
        "30 records",
        [
            {"way": way, "seconds": round(s, 3)}
            for way, s in zip(("batched", "one by one"), seconds.values(), strict=True)
        ],
    )
    assert len(logs[batched]) == 30, "All 30 records are there."
    assert logs[batched] == logs[single], (
        "In batches (seen) and one by one (expected), the log is the same: partitions, offsets, "
        "keys and values, in the order of sending."
    )


@pytest.mark.fact("one-by-one-waits", scope="the component routing")
def test_one_by_one_waits_for_each_report(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """If one_by_one is asked for, each record goes to the broker by itself, and not in a batch.

    These topics take no batch of more than 1,000 bytes. A client that waits 0.2 s
    for more puts all five records into one.
    """
    name, other = (topic(settings={"max.message.bytes": "1000"}) for _ in range(2))
    values_sent = [b"%d" % number * 400 for number in range(5)]
    records = [KeyedRecord(name, "user-1", value) for value in values_sent]
    patient = {**broker.client_properties(), "linger.ms": 200, "compression.type": "none"}

    # This one sends when it is flushed.
    writer = producer({"linger.ms": 2_000, "compression.type": "none"})
    together = send(writer, other, values_sent)
    reports = reports_of(solutions, patient, records, one_by_one=True)

    values = [each.value() for each in read(consumer(), name)]
    evidence.note("In one batch: {}", [str(each.error) for each in together])
    evidence.table("One by one", report_rows(reports))
    assert [each for each in together if each.error is None] == [], (
        "In one batch all five are refused."
    )
    assert [each for each in reports if each.error is not None] == [], (
        "Each record is small enough for the topic, and five in one batch are not: with one_by_one "
        "each of them goes by itself, when the one before it is acknowledged."
    )
    assert values == [each.value for each in records], "The five records are in the log, in order."


@pytest.mark.fact("publish-closes-its-producer", scope="the component routing")
def test_publish_leaves_no_client_behind(
    broker: Broker, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """When publish() is done, or has failed, no thread of its client is left."""
    name, config = topic(), broker.client_properties()
    before = client_threads()

    solutions.routing.publish(config, [KeyedRecord(name, "k", b"x")])
    failure_of(solutions, NO_BROKER, [KeyedRecord(name, "k", b"x")], limit=0.3)
    left = threads_left(before)

    evidence.note("{} clients were open before; of two new ones {} are left", len(before), left)
    assert left == 0, "No thread of the client is left."


@pytest.mark.fact("distribution-adds-up", scope="the component routing")
def test_distribution_adds_up(
    broker: Broker, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """The distribution counts every record that was sent, and has the empty partitions, too.

    It gives each partition's share, the fullest partition against the mean, and
    chi-square against an even spread.
    """
    records = user_events(topic=topic(partitions=6))
    reports = solutions.routing.publish(broker.client_properties(), records)
    places = [each.partition for each in reports if each.partition is not None]

    seen = solutions.routing.distribution(places, 6)
    taken_once = solutions.routing.distribution(iter(places), 6)

    counts = Counter(places)
    statistic, p_value = seen.chi_square()
    evidence.shares(
        "30 records of 3 keys over 6 partitions",
        dict(enumerate(seen.counts)),
        look="At most three bars have records, for there are three keys. The empty ones are "
        "counted, too.",
    )
    figures = {"max over mean": seen.skew, "chi-square": statistic, "p-value": p_value}
    evidence.table("Figures", [{name: float(f"{each:.3g}") for name, each in figures.items()}])
    assert list(seen.counts) == [counts[partition] for partition in range(6)], (
        "Each partition's count is right, also where it is 0."
    )
    assert list(taken_once.counts) == list(seen.counts), (
        "A generator's partitions are counted, too: it can be gone through only once."
    )
    assert sum(seen.counts) == 30, "The counts add up to all 30 records."
    assert sum(seen.shares) == pytest.approx(1), "The shares add up to 1."
    assert seen.skew == pytest.approx(max(counts.values()) / 5), (
        "The skew is the largest count over the mean of 5."
    )
    assert statistic == pytest.approx(sum((each - 5) ** 2 / 5 for each in seen.counts)), (
        "The statistic is that of the chi-squared test."
    )
    assert p_value < 0.01, (
        "The chi-squared test says that three keys over six partitions are no even spread."
    )


@pytest.mark.fact("distribution-refuses-other-partitions", scope="the component routing")
def test_distribution_refuses_other_partitions(solutions: Solutions, evidence: Evidence) -> None:
    """If a record's partition is none of the topic's, distribution() raises ValueError.

    Python counts -1 from the end, and a partition beyond the end would be lost.
    """
    asked = [([0, -1], 3), ([0, 3], 3), ([], 0), ([0], 0)]

    refused = [
        error_kind(partial(solutions.routing.distribution, each, n), ValueError)
        for each, n in asked
    ]
    empty = solutions.routing.distribution(iter([]), 3)

    evidence.table(
        "What was refused",
        [
            {"partitions of records": p, "of": n, "error": e}
            for (p, n), e in zip(asked, refused, strict=True)
        ],
    )
    assert refused == ["ValueError"] * 4, (
        "A partition of -1 or beyond the end, and a topic without partitions, are each refused by "
        "a ValueError."
    )
    assert list(empty.counts) == [0, 0, 0], "Without records each partition has 0."
