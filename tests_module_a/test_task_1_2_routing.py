"""Task 1.2: where does a record land, and who decides?

Facts about Kafka come first: they use plain clients and hold whatever you
write. Facts about the component follow: they judge the partition functions,
`publish` and `distribution`, kafkalab's own or, with `--kafkalab-solutions`, yours.
"""

from __future__ import annotations

import random
import time
from binascii import crc32
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kafkalab.brokers import Broker, Termination
from kafkalab.contracts.routing import KeyedRecord, PublishFailed, Report
from kafkalab.demo import orders, user_events
from kafkalab.fixtures import ConsumerMaker, JavaDefaults, JavaStarter, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.librdkafka import librdkafka_defaults
from kafkalab.observe.java_client import JavaClient
from kafkalab.observe.records import BY_KEY, DeliveryReport, Record, read, send, watermarks
from kafkalab.observe.statistics import Statistics
from kafkalab.observe.topics import grow
from kafkalab.solutions import Solutions
from kafkalab.waiting import wait_until

# A loaded machine is slow, which says nothing about the code.
AT_ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

# What produce() does


@pytest.mark.fact("produce-only-enqueues", scope="librdkafka; Java's send() does the same")
def test_produce_only_enqueues(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """`produce()` only puts a record into a queue; nothing is sent before the client sends it.

    The delivery report is the acknowledgement. A process that ends before it
    came loses the record, and nobody is told.
    """
    name, reports = topic(), Reports()
    # A minute of lingering: what is in the queue stays there as long as this test.
    lazy = producer({"linger.ms": 60_000})

    for number in range(30):
        lazy.produce(name, b"%d" % number, partition=0, on_delivery=reports)
    lazy.poll(0)

    # Another producer's record is acknowledged after all 30 were produced.
    (sentinel,) = send(producer(), name, [b"sentinel"])
    evidence.table(
        "After 30 times produce()",
        [
            {
                "in the queue": len(lazy),
                "reports": len(reports),
                "offset of the other producer's record": sentinel.offset,
            }
        ],
        look="An offset says how many records stood in the log before.",
    )
    assert sentinel.offset == 0, "nothing had been sent, so the other record is the first"
    assert len(lazy) == 30, "all records are still in the producer's queue"
    assert len(reports) == 0, "and none is reported"


@pytest.mark.control("produce-only-enqueues", changes="the producer is flushed")
def test_flush_sends_and_waits_for_the_reports(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """`flush()` sends what is in the queue and returns when everything is reported."""
    name, reports = topic(), Reports()
    lazy = producer({"linger.ms": 60_000})

    for number in range(30):
        lazy.produce(name, b"%d" % number, partition=0, on_delivery=reports)
    lazy.flush(20)

    end = watermarks(consumer(), name)[1]
    evidence.table("After flush()", [{"reports": len(reports), "end offset": end}])
    assert len(reports) == 30, "each record is reported"
    assert end == 30, "and is in the log"


@pytest.mark.fact("full-queue-raises", scope="librdkafka; Java's send() blocks instead")
def test_a_full_queue_raises_until_reports_are_served(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A full local queue raises BufferError, even when all its records are long in the log.

    A record leaves the queue when its report is served, and only `poll()` and
    `flush()` serve reports.
    """
    name, small = topic(), producer({"queue.buffering.max.messages": 10})
    reader = consumer()

    for number in range(10):
        small.produce(name, b"%d" % number, partition=0)
    wait_until(
        lambda: watermarks(reader, name)[1],
        lambda end: end == 10,
        limit=20,
        what="all ten records to be in the log",
    )

    with pytest.raises(BufferError) as refused:
        small.produce(name, b"one more", partition=0)
    evidence.table(
        "After ten times produce()",
        [
            {
                "end offset": watermarks(reader, name)[1],
                "the next produce()": f"raised {refused.typename}: {refused.value}",
            }
        ],
    )


@pytest.mark.control("full-queue-raises", changes="poll() serves the reports first")
def test_polling_makes_room(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """After `poll()` has served the reports there is room again."""
    name, small = topic(), producer({"queue.buffering.max.messages": 10})
    for number in range(10):
        small.produce(name, b"%d" % number, partition=0)

    served = small.poll(20)
    small.produce(name, b"one more", partition=0)
    small.flush(20)

    end = watermarks(consumer(), name)[1]
    evidence.table(
        "After ten times produce(), and one poll(), which serves the reports that it finds",
        [{"reports served": served, "end offset after one more produce(), and a flush()": end}],
    )
    assert served > 0, "poll() served reports"
    assert end == 11, "the eleventh record was taken, and is in the log"


@pytest.mark.fact("acks-0-has-no-offset", scope="acks=0")
def test_without_acknowledgement_there_is_no_offset(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """With `acks=0` a delivery report says success, but knows no offset.

    The producer did not wait for an answer: the report tells that the record
    was sent, not that it is in the log.
    """
    name, hasty = topic(), producer({"acks": 0})

    (delivery,) = send(hasty, name, [b"x"])

    evidence.table("Delivery report", delivery_rows([delivery]))
    assert delivery.error is None, "it counts as a success"
    assert delivery.offset is None, "nobody told where the record is"


@pytest.mark.control("acks-0-has-no-offset", changes="acks=all, the default")
def test_an_acknowledged_record_has_an_offset(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """With `acks=all` the report names the record's offset."""
    name, careful = topic(), producer({"acks": "all"})

    (delivery,) = send(careful, name, [b"x"])

    evidence.table("Delivery report", delivery_rows([delivery]))
    assert delivery.offset == 0, "the broker told where the record is"


@pytest.mark.fact("batching-cuts-requests", scope="any client that batches")
def test_batching_cuts_requests(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Records that wait for each other share requests: 300 of them need a handful.

    A request costs a round trip and an answer, whatever it carries.
    """
    name, statistics = topic(), Statistics()
    writer = producer(statistics.settings())

    started = time.monotonic()
    send(writer, name, [b"x"] * 300)
    seconds = time.monotonic() - started

    requests = statistics.produce_requests(writer)
    evidence.table(
        "One flush",
        [{"records": 300, "requests": requests, "seconds": round(seconds, 3)}],
        look="Many records went in few requests.",
    )
    assert requests <= 30, "at most one request for ten records"


@pytest.mark.control("batching-cuts-requests", changes="each record is flushed")
def test_flushing_each_record_needs_a_request_each(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Flushed one by one, 300 records need 300 requests."""
    name, statistics = topic(), Statistics()
    writer = producer(statistics.settings())

    started = time.monotonic()
    for _ in range(300):
        send(writer, name, [b"x"])
    seconds = time.monotonic() - started

    requests = statistics.produce_requests(writer)
    evidence.table(
        "A flush each",
        [{"records": 300, "requests": requests, "seconds": round(seconds, 3)}],
        look="As many requests as records.",
    )
    assert requests >= 300, "no two records shared a request"


@pytest.mark.fact("oversize-fails-at-once", scope="librdkafka")
def test_an_oversized_record_fails_in_produce(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """A record over the client's own limit, `message.max.bytes`, fails in `produce()` itself.

    There is no delivery report for it: whoever looks at reports alone misses it.
    """
    writer, name, reports = producer({"message.max.bytes": 10_000}), topic(), Reports()

    with pytest.raises(KafkaException) as refused:
        writer.produce(name, b"x" * 10_001, on_delivery=reports)

    evidence.table(
        "produce() of 10,001 bytes",
        [
            {
                "raised": refused.value.args[0].name(),
                "in the queue": len(writer),
                "calls of on_delivery": len(reports),
            }
        ],
    )
    assert refused.value.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE
    assert len(writer) == 0, "it is not in the queue"
    assert len(reports) == 0, "and no report will come"


@pytest.mark.control("oversize-fails-at-once", changes="the record is under the limit")
def test_a_record_under_the_limit_passes(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Under the limit the record is taken and delivered."""
    writer, name = producer({"message.max.bytes": 10_000}), topic()

    (delivery,) = send(writer, name, [b"x" * 9_000])

    evidence.table("Delivery report", [{"bytes": 9_000, "offset": delivery.offset}])
    assert delivery.error is None
    assert delivery.offset == 0


@pytest.mark.fact("headers-are-a-list", scope="any client; confluent-kafka reads [] as None")
def test_headers_are_a_list(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Headers keep their order, may repeat a name, and tell a null value from an empty one.

    They are a list and no map. Only bytes, text and None are values.
    """
    name, writer = topic(), producer()
    headers: list[tuple[str, str | bytes | None]] = [
        ("trace", b"1"),
        ("trace", b"2"),
        ("empty", b""),
        ("null", None),
        ("a", b"\xff"),
    ]

    writer.produce(name, b"x", headers=headers)
    writer.produce(name, b"y", headers=[])
    with pytest.raises(TypeError) as refused:
        writer.produce(name, b"z", headers=[("number", 1)])  # type: ignore[list-item]
    writer.flush(20)

    first, second = read(consumer(), name)
    seen: Any = first.headers()
    evidence.table(
        "The headers as read, in Python's words",
        [{"name": header, "value": repr(value)} for header, value in seen],
    )
    evidence.note("Sent with headers=[], headers() as read: {}", repr(second.headers()))
    evidence.note(
        "produce() with a header whose value is the number 1 raised {}: {}",
        refused.typename,
        refused.value,
    )
    assert seen == headers, "as they were written"
    assert second.headers() is None, "no headers at all read as None"


# Where a record lands


@pytest.mark.fact("same-key-same-partition", scope="any client, while partitions stay")
def test_same_key_lands_in_the_same_partition(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Records with the same key land in the same partition.

    It is the only tie between records that Kafka knows: order holds for a key,
    and one consumer of a group sees all of it.
    """
    name, records = topic(partitions=3), as_records(user_events(users=3, per_user=10))

    deliveries = send(producer(), name, records, partition=BY_KEY)

    evidence.shares(
        "30 records of 3 keys",
        by_partition_and_key(deliveries, 3),
        look="Each colour is a key, and stands in one bar only: all ten records of a key are in "
        "one partition.",
    )
    used = partitions_of_keys(deliveries)
    assert len(deliveries) == 30
    assert {key: len(partitions) for key, partitions in used.items()} == {
        b"user-0": 1,
        b"user-1": 1,
        b"user-2": 1,
    }, "each key has one partition"


@pytest.mark.control("same-key-same-partition", changes="the topic grows from 3 to 6 partitions")
def test_growing_the_topic_moves_keys(
    admin: AdminClient, topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """After a topic grows, a key can land in another partition than before."""
    name, records = topic(partitions=3), as_records(user_events(users=10, per_user=2))

    before = send(producer(), name, records, partition=BY_KEY)
    grow(admin, name, 6)
    # A producer that runs already may divide by the old number for minutes: a new one knows.
    after = send(producer(), name, records, partition=BY_KEY)

    used = partitions_of_keys([*before, *after])
    evidence.table(
        "Partitions of each key, before and after",
        [{"key": key, "partitions": sorted(partitions)} for key, partitions in used.items()],
        look="A key with two partitions has moved: its old records are in one, its new ones in "
        "the other.",
    )
    assert {len(partitions) for partitions in used.values()} == {1, 2}, "some stay, some move"


@pytest.mark.fact("default-is-crc32", scope="librdkafka's default, partitioner=consistent_random")
@pytest.mark.parametrize("partitions", [3, 4, 6], ids=lambda number: f"{number} partitions")
def test_the_default_partition_is_crc32_of_the_key(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence, partitions: int
) -> None:
    """librdkafka's default puts a key at CRC32, unsigned, modulo the number of partitions.

    Java's clients hash otherwise. Where both write to one topic, the same key
    lands in two places unless they are told to agree.
    """
    name, keys = topic(partitions=partitions), [*USERS, *random_keys(292)]

    deliveries = send(producer(), name, [Record(b"x", key) for key in keys], partition=BY_KEY)

    missed = [each for each in deliveries if each.partition != crc32(each.key or b"") % partitions]
    evidence.table(
        EIGHT_KEYS,
        crc32_rows(USERS, deliveries, partitions),
        look=AT_THE_LAST_TWO,
    )
    evidence.shares(
        f"{len(keys)} keys",
        by_partition(deliveries, partitions),
        look="No bar is empty, and none is far ahead: a hash spreads keys as dice would.",
    )
    evidence.number("keys elsewhere than CRC32 says", len(missed), f"of {len(keys)}")
    assert missed == [], "every key is where CRC32 puts it"


@pytest.mark.control("default-is-crc32", changes="partitioner=murmur2_random")
def test_another_partitioner_puts_keys_elsewhere(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """With `murmur2_random` keys are elsewhere than CRC32 would put them."""
    name, keys = topic(partitions=3), [*USERS, *random_keys(292)]
    writer = producer({"partitioner": "murmur2_random"})

    deliveries = send(writer, name, [Record(b"x", key) for key in keys], partition=BY_KEY)

    missed = [each for each in deliveries if each.partition != crc32(each.key or b"") % 3]
    evidence.table(
        EIGHT_KEYS,
        crc32_rows(USERS, deliveries, 3),
        look="Compare the last two columns: only by chance they agree, for another hash decided.",
    )
    evidence.number("keys elsewhere than CRC32 says", len(missed), f"of {len(keys)}")
    assert missed, "some keys are elsewhere"


@pytest.mark.fact("java-is-murmur2", scope="Java's default; librdkafka with partitioner=murmur2*")
@pytest.mark.parametrize("partitions", [3, 4, 6], ids=lambda number: f"{number} partitions")
def test_java_compatible_placement_is_murmur2(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence, partitions: int
) -> None:
    """With `murmur2_random` a key lands where Java puts it: murmur2 without its sign bit, modulo.

    The sign bit is cleared (& 0x7fffffff); the absolute value would be another
    number.
    """
    name, keys = topic(partitions=partitions), [*USERS, *random_keys(292)]
    writer = producer({"partitioner": "murmur2_random"})

    deliveries = send(writer, name, [Record(b"x", key) for key in keys], partition=BY_KEY)

    expected = {key: confluent_kafka.murmur2(key, partitions) for key in keys}
    missed = [each for each in deliveries if each.partition != expected[each.key or b""]]
    evidence.table(
        EIGHT_KEYS,
        murmur2_rows(USERS, deliveries, partitions),
        look=AT_THE_LAST_TWO,
    )
    evidence.shares(
        f"{len(keys)} keys",
        by_partition(deliveries, partitions),
        look="No bar is empty, and none is far ahead: murmur2 spreads keys as CRC32 does.",
    )
    evidence.number("keys elsewhere than murmur2 says", len(missed), f"of {len(keys)}")
    assert missed == [], "every key is where murmur2 puts it"


@pytest.mark.control("java-is-murmur2", changes="librdkafka's default partitioner")
def test_the_default_is_not_java_compatible(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """By default librdkafka puts keys elsewhere than Java does."""
    name, keys = topic(partitions=3), [*USERS, *random_keys(292)]

    deliveries = send(producer(), name, [Record(b"x", key) for key in keys], partition=BY_KEY)

    expected = {key: confluent_kafka.murmur2(key, 3) for key in keys}
    missed = [each for each in deliveries if each.partition != expected[each.key or b""]]
    evidence.table(
        EIGHT_KEYS,
        murmur2_rows(USERS, deliveries, 3),
        look="Compare the last two columns: only by chance they agree, for another hash decided.",
    )
    evidence.number("keys elsewhere than Java puts them", len(missed), f"of {len(keys)}")
    assert missed, "some keys are elsewhere"


@pytest.mark.fact("javas-keys-land-elsewhere", scope="both clients' default partitioners")
@pytest.mark.needs("jars")
def test_java_puts_the_same_keys_elsewhere(
    topic: TopicMaker, producer: ProducerMaker, java_client: JavaStarter, evidence: Evidence
) -> None:
    """The same keys land in other partitions when Java's client sends them, not librdkafka's.

    Where services of both write to one topic, a key's records are in two
    partitions, and without an order. Each client is alone with its defaults.
    """
    name = topic(partitions=3)
    java = java_client(*VERIFIABLE_PRODUCER, "--topic", name)

    deliveries = send(producer(), name, [Record(b"x", key) for key in NUMBERS], partition=BY_KEY)

    python, javas = places_of(deliveries), java_places(java)
    elsewhere = [key for key in NUMBERS if python[key] != javas[key]]
    evidence.table(
        "The partition of each key, by the client that sent it",
        both_rows(python, javas),
        look="Go down the two columns: where they agree, it is by chance.",
    )
    evidence.number("keys elsewhere by Java's client", len(elsewhere), f"of {len(NUMBERS)}")
    assert javas == {key: confluent_kafka.murmur2(key, 3) for key in NUMBERS}, "Java: murmur2"
    assert python == {key: crc32(key) % 3 for key in NUMBERS}, "librdkafka: CRC32"
    assert elsewhere, "some keys are in two partitions"


@pytest.mark.control("javas-keys-land-elsewhere", changes="partitioner=murmur2_random")
@pytest.mark.needs("jars")
def test_with_javas_partitioner_both_agree(
    topic: TopicMaker, producer: ProducerMaker, java_client: JavaStarter, evidence: Evidence
) -> None:
    """With `murmur2_random` librdkafka puts each key where Java's client puts it."""
    name, writer = topic(partitions=3), producer({"partitioner": "murmur2_random"})
    java = java_client(*VERIFIABLE_PRODUCER, "--topic", name)

    deliveries = send(writer, name, [Record(b"x", key) for key in NUMBERS], partition=BY_KEY)

    python, javas = places_of(deliveries), java_places(java)
    evidence.table(
        "The partition of each key, by the client that sent it",
        both_rows(python, javas),
        look="Both columns are the same.",
    )
    assert python == javas, "each key has one partition"


@pytest.mark.fact("null-key-sticks", scope="librdkafka, sticky.partitioning.linger.ms > 0")
def test_records_without_a_key_stick_to_a_partition(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Records without a key do not go round robin: for a while all go to one partition.

    So they fill batches. After `sticky.partitioning.linger.ms` (10 ms by
    default) another partition is drawn. Only what is produced before the client
    knows the topic's partitions is drawn record by record.
    """
    name = topic(partitions=6)
    # A minute: longer than this test, on any machine.
    writer = producer({"sticky.partitioning.linger.ms": 60_000})
    send(writer, name, [b"makes the client ask for the partitions"], partition=BY_KEY)

    deliveries = send(writer, name, [b"x"] * 200, partition=BY_KEY)

    evidence.shares(
        "200 records without a key",
        by_partition(deliveries, 6),
        look="One bar has all records: without a key they stay together, and fill batches.",
    )
    assert len({each.partition for each in deliveries}) == 1, "all in one partition"


@pytest.mark.control("null-key-sticks", changes="sticky.partitioning.linger.ms=0")
def test_without_stickiness_each_record_draws_a_partition(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Without stickiness each record draws a partition of its own, at random."""
    name, writer = topic(partitions=6), producer({"sticky.partitioning.linger.ms": 0})

    deliveries = send(writer, name, [b"x"] * 200, partition=BY_KEY)

    evidence.shares(
        "200 records without a key",
        by_partition(deliveries, 6),
        look="Every bar has some of the records, about a sixth each: each of them was drawn by "
        "itself.",
    )
    assert {each.partition for each in deliveries} == set(range(6)), "all partitions got some"


@pytest.mark.fact("empty-key-is-not-null", scope="librdkafka's default, consistent_random")
def test_the_default_scatters_an_empty_key(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """librdkafka's default treats an empty key like none: its records scatter.

    The consumer still reads an empty key and not null, so nothing shows that
    order was lost.
    """
    name, writer = topic(partitions=6), producer({"sticky.partitioning.linger.ms": 0})

    deliveries = send(writer, name, [Record(b"x", key=b"")] * 200, partition=BY_KEY)

    evidence.shares(
        "200 records with an empty key",
        by_partition(deliveries, 6),
        look="All records have the same, empty key, and yet every partition has some of them.",
    )
    assert {each.key for each in deliveries} == {b""}, "the key is empty, not null"
    assert {each.partition for each in deliveries} == set(range(6)), "in all partitions"


@pytest.mark.control("empty-key-is-not-null", changes="partitioner=murmur2_random")
def test_murmur2_keeps_an_empty_key_together(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Under `murmur2_random` an empty key is a key: its records stay together."""
    name = topic(partitions=6)
    writer = producer({"sticky.partitioning.linger.ms": 0, "partitioner": "murmur2_random"})

    deliveries = send(writer, name, [Record(b"x", key=b"")] * 200, partition=BY_KEY)

    evidence.shares(
        "200 records with an empty key",
        by_partition(deliveries, 6),
        look="One bar has all records: the empty key was hashed as any other.",
    )
    assert len({each.partition for each in deliveries}) == 1, "all in one partition"


@pytest.mark.fact("explicit-partition-wins", scope="any client")
def test_a_named_partition_beats_the_hash(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """A partition that the producer names beats the hash of the key.

    From Python this is the way to a partitioner of one's own: compute the
    number, and name it.
    """
    name, key = topic(partitions=3), b"user-1"
    elsewhere = (crc32(key) + 1) % 3

    (delivery,) = send(producer(), name, [Record(b"x", key)], partition=elsewhere)

    evidence.table(
        "Key, hash and partition",
        [{"named": elsewhere, **row} for row in crc32_rows([key], [delivery], 3)],
        look="The report's partition is the one that was named, not the hash's.",
    )
    assert delivery.partition == elsewhere, "the record is where the producer said"


@pytest.mark.control("explicit-partition-wins", changes="no partition is named")
def test_unnamed_the_hash_decides(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """When no partition is named, the hash of the key decides."""
    name, key = topic(partitions=3), b"user-1"

    (delivery,) = send(producer(), name, [Record(b"x", key)], partition=BY_KEY)

    evidence.table(
        "Key, hash and partition", crc32_rows([key], [delivery], 3), look=AT_THE_LAST_TWO
    )
    assert delivery.partition == crc32(key) % 3


@pytest.mark.fact("few-keys-skew", scope="any partitioner that hashes")
def test_few_keys_do_not_spread_evenly(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """A few keys do not spread evenly: some partitions get several, some none.

    A hash spreads keys like dice. With as many keys as partitions, each in a
    partition of its own would be luck.
    """
    name, keys = topic(partitions=3), [b"k0", b"k1", b"k2"]

    deliveries = send(producer(), name, [Record(b"x", key) for key in keys * 10], partition=BY_KEY)

    counts = Counter(each.partition for each in deliveries)
    evidence.table(
        "Where each key goes",
        crc32_rows(keys, deliveries, 3),
        look="Two of the hashes leave the same remainder, and none leaves the third.",
    )
    evidence.shares(
        "30 records of 3 keys",
        by_partition_and_key(deliveries, 3),
        look="One bar has two colours, which are keys, and one bar is empty.",
    )
    assert sorted(counts.values()) == [10, 20], "one partition has two keys, one has one"
    assert len(counts) == 2, "and one has none"


@pytest.mark.control("few-keys-skew", changes="a thousand keys")
def test_many_keys_spread_evenly(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """A thousand keys spread almost evenly: the fullest partition is near the mean."""
    name, keys = topic(partitions=3), [b"k%d" % number for number in range(1000)]

    deliveries = send(producer(), name, [Record(b"x", key) for key in keys], partition=BY_KEY)

    counts = Counter(each.partition for each in deliveries)
    skew = max(counts.values()) / (len(keys) / 3)
    evidence.shares(
        "1,000 records of 1,000 keys",
        by_partition(deliveries, 3),
        look="The bars are about equally long, near a third each: many keys even out.",
    )
    evidence.number("fullest partition against the mean", round(skew, 2))
    assert len(counts) == 3, "no partition is empty"
    assert skew < 1.2, "the fullest has less than a fifth more than its share"


@pytest.mark.fact("hot-key-hot-partition", scope="any partitioner that hashes")
def test_a_hot_key_makes_a_hot_partition(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """A key that half of all records carry overloads its partition, however many there are.

    More partitions or consumers do not help: a key is never divided.
    """
    name, cold = topic(partitions=6), [b"cold-%d" % number for number in range(600)]
    records = [Record(b"x", key) for key in cold] + [Record(b"x", b"hot")] * 600

    deliveries = send(producer(), name, records, partition=BY_KEY)

    skew = fullest_against_mean(deliveries, 6)
    evidence.shares(
        "Half of 1,200 records have one key",
        hot_and_cold(deliveries, 6),
        look="The hot key's colour stands in one bar only, which is several times as long as the "
        "others.",
    )
    evidence.number("fullest partition against the mean", skew)
    assert skew > 3, "one partition carries more than three times its share"


@pytest.mark.control("hot-key-hot-partition", changes="the hot key is salted, twelve ways")
def test_a_salted_key_spreads(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Salted, the hot key spreads, and its order is lost: it is twelve keys now."""
    name, cold = topic(partitions=6), [b"cold-%d" % number for number in range(600)]
    hot = [Record(b"x", b"hot-%d" % (number % 12)) for number in range(600)]

    deliveries = send(producer(), name, [*(Record(b"x", k) for k in cold), *hot], partition=BY_KEY)

    skew = fullest_against_mean(deliveries, 6)
    evidence.shares(
        "The same, the hot key salted",
        hot_and_cold(deliveries, 6),
        look="The hot key's colour stands in several bars now, and no bar is twice as long as the "
        "mean.",
    )
    evidence.number("fullest partition against the mean", skew)
    assert skew < 2, "no partition carries twice its share"
    hot_in = {each.partition for each in deliveries if name_of(each.key).startswith("hot")}
    assert len(hot_in) > 1, "but the key's records are in several partitions"


@pytest.mark.fact("python-defaults-are-not-javas", scope="confluent-kafka (librdkafka) 2")
def test_librdkafka_has_defaults_of_its_own(evidence: Evidence) -> None:
    """librdkafka's producer is not idempotent by default, and its partitioner is CRC32.

    Advice for Java's client does not hold for Python's: read defaults, do not
    remember them. Its consumer reads only committed transactions by default.
    """
    defaults = librdkafka_defaults()
    # The library lists a default under the older of two names.
    librdkafka = {**defaults, "linger.ms": defaults["queue.buffering.max.ms"]}

    evidence.table(
        "librdkafka",
        [{"property": p, "default": librdkafka.get(p, NO_PROPERTY)} for p in COMPARED],
        look="Compare with Java's below: enable.idempotence and the partitioner differ.",
    )
    assert defaults["enable.idempotence"] == "false"
    assert int(defaults["max.in.flight.requests.per.connection"]) > 5, "too many for idempotence"
    assert defaults["isolation.level"] == "read_committed"
    assert defaults["partitioner"] == "consistent_random"


@pytest.mark.control("python-defaults-are-not-javas", changes="Java's client")
@pytest.mark.needs("jars")
def test_java_has_other_defaults(java_defaults: JavaDefaults, evidence: Evidence) -> None:
    """Java's producer is idempotent by default, and its consumer reads uncommitted records."""
    package = "org.apache.kafka.clients"

    producers = java_defaults(f"{package}.producer.ProducerConfig")
    consumers = java_defaults(f"{package}.consumer.ConsumerConfig")

    java = {**consumers, **producers}
    evidence.table(
        "Java",
        [{"property": p, "default": java.get(p, NO_PROPERTY)} for p in COMPARED],
    )
    assert java["enable.idempotence"] == "true"
    assert int(java["max.in.flight.requests.per.connection"]) == 5
    assert java["isolation.level"] == "read_uncommitted"
    assert "partitioner" not in java, "Java names a class, and by default hashes with murmur2"


# The component: partition functions, publish and distribution


@pytest.mark.fact("crc32-partition-predicts", scope="the component routing")
@pytest.mark.parametrize("partitions", [1, 3, 7, 50])
def test_crc32_partition_predicts_the_default(
    topic: TopicMaker,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
    partitions: int,
) -> None:
    """The CRC32 function says beforehand where `consistent` puts each of 2,000 keys.

    Among them an empty one, text of many scripts, binary ones and one of 64 KiB.
    """
    name, keys = topic(partitions=partitions), hostile_keys(2_000)
    writer = producer({"partitioner": "consistent"})

    deliveries = send(writer, name, [Record(b"x", key) for key in keys], partition=BY_KEY)

    missed = mispredicted(deliveries, solutions.routing.crc32_partition, partitions)
    evidence.table(
        "Eight of the keys: what the component says, and what the broker's report names",
        said_rows(keys[:8], deliveries, solutions.routing.crc32_partition, partitions),
    )
    evidence.number("keys elsewhere than predicted", len(missed), f"of {len(deliveries)}")
    assert missed == [], "no key is elsewhere than said: (key, said, found)"


@pytest.mark.fact("murmur2-partition-predicts", scope="the component routing")
@pytest.mark.parametrize("partitions", [1, 3, 7, 50])
def test_murmur2_partition_predicts_java(
    topic: TopicMaker,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
    partitions: int,
) -> None:
    """The murmur2 function says beforehand where `murmur2` puts each of 2,000 keys.

    Half of all hashes have their sign bit set, so a wrong sign shows at once.
    """
    name, keys = topic(partitions=partitions), hostile_keys(2_000)
    writer = producer({"partitioner": "murmur2"})

    deliveries = send(writer, name, [Record(b"x", key) for key in keys], partition=BY_KEY)

    missed = mispredicted(deliveries, solutions.routing.murmur2_partition, partitions)
    evidence.table(
        "Eight of the keys: what the component says, and what the broker's report names",
        said_rows(keys[:8], deliveries, solutions.routing.murmur2_partition, partitions),
    )
    evidence.number("keys elsewhere than predicted", len(missed), f"of {len(deliveries)}")
    assert missed == [], "no key is elsewhere than said: (key, said, found)"


@pytest.mark.fact("partition-functions-agree", scope="the component routing")
@AT_ANY_SPEED
@given(key=st.binary(max_size=100) | st.text(max_size=30), partitions=st.integers(1, 1_000))
def test_partition_functions_agree_with_the_clients_own(
    solutions: Solutions, key: bytes | str, partitions: int
) -> None:
    """Both functions agree with the client's own for any key, text or bytes.

    Text counts as its UTF-8: whatever writes `ü` another way writes another key.
    """
    encoded = key.encode("utf-8") if isinstance(key, str) else key

    crc32_said = solutions.routing.crc32_partition(key, partitions)
    murmur2_said = solutions.routing.murmur2_partition(key, partitions)

    asked = f"{encoded!r} in {partitions} partitions"
    crc32 = confluent_kafka.consistent(encoded, partitions)
    murmur2 = confluent_kafka.murmur2(encoded, partitions)
    assert crc32_said == crc32, f"as librdkafka's CRC32, for {asked}"
    assert murmur2_said == murmur2, f"as librdkafka's murmur2, for {asked}"


@pytest.mark.fact("keys-are-encoded-one-way", scope="the component routing")
def test_keys_are_encoded_in_one_way(
    broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """A key given as text is sent as its UTF-8, bytes as they are, and none as none."""
    name, keys = topic(), ["user-1", "Jürgen", "東京", "", b"\xff\x00", b"", None]
    records = [KeyedRecord(name, key, b"x") for key in keys]

    reports = solutions.routing.publish(broker.client_properties(), records)

    read_keys = [each.key() for each in read(consumer(), name)]
    assert len(read_keys) == len(keys), f"{len(keys)} were sent, {len(read_keys)} are in the log"
    evidence.table(
        "Keys", [{"given": g, "in the log": r} for g, r in zip(keys, read_keys, strict=True)]
    )
    sent = [b"user-1", "Jürgen".encode(), "東京".encode(), b"", b"\xff\x00", b"", None]
    assert read_keys == sent, "UTF-8, bytes, or null"
    assert [each.key for each in reports] == sent, "and reported so"


@pytest.mark.fact("publish-reports-each-record", scope="the component routing")
def test_publish_reports_each_record_once(
    broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """Publishing reports every record once, with the partition and offset where it is."""
    users, shop = topic(partitions=3), topic(partitions=4)
    records = [*user_events(topic=users), *orders(topic=shop, count=5)]

    reports = solutions.routing.publish(broker.client_properties(), records)

    reader = consumer()
    stored = {
        (each.topic(), each.partition(), each.offset()): each.key()
        for name, partitions in ((users, range(3)), (shop, range(4)))
        for each in read(reader, name, *partitions)
    }
    reported = {(each.topic, each.partition, each.offset): each.key for each in reports}
    evidence.table("The first ten reports", report_rows(reports[:10]))
    assert len(reports) == len(records) == 80, "one report for each record"
    assert reported == stored, "each names the place where its key is"
    assert all(each.error is None for each in reports), "and none an error"


@pytest.mark.fact("reports-follow-the-acknowledgement", scope="the component routing")
def test_reports_follow_the_acknowledgement(solutions: Solutions, evidence: Evidence) -> None:
    """A record counts as published when the broker has acknowledged it, not when it was produced.

    Here no broker answers: a client's queue takes the records all the same, and
    nothing is ever acknowledged.
    """
    records = [KeyedRecord("nowhere", f"user-{number}", b"x") for number in range(3)]

    failed = failure_of(solutions, NO_BROKER, records, limit=1)

    evidence.note("Publishing raised: {}", failed)
    assert len(failed.reports) == 3, "each record is reported"
    assert all(each.error is not None for each in failed.reports), "none as a success"
    assert all(each.offset is None for each in failed.reports), "and none with an offset"


@pytest.mark.fact("publish-gives-up-within-its-limit", scope="the component routing")
@pytest.mark.needs("restart")
def test_publish_gives_up_within_its_limit(
    private_broker: Broker, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """A broker that goes away ends publishing with a failure within its limit, never in silence."""
    name = topic()
    records = [KeyedRecord(name, f"user-{number}", b"x") for number in range(3)]
    delivered = solutions.routing.publish(private_broker.client_properties(), records)

    private_broker.kill(private_broker.node_ids[0], Termination.ABRUPT)
    started = time.monotonic()
    failed = failure_of(solutions, private_broker.client_properties(), records, limit=1)
    seconds = time.monotonic() - started

    evidence.table("Limit and time", [{"limit": 1, "seconds": round(seconds, 1)}])
    evidence.note("Publishing raised: {}", failed)
    assert len(delivered) == 3, "while the broker was there, it worked"
    # 20 s: the limit, and plenty for a loaded machine; a client of its own accord waits 5 minutes.
    assert seconds < 20, "it did not wait much longer than it was told to"
    assert {each.key for each in failed.reports} == {b"user-0", b"user-1", b"user-2"}, "by name"


@pytest.mark.fact("a-refused-record-fails-the-call", scope="the component routing")
def test_a_refused_record_fails_the_call_and_hides_no_other(
    broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """A refused record fails the call, with its key and error; the others are published.

    One is refused by the client in `produce()`, one by the broker in its report.
    """
    name, small = topic(), topic(settings={"max.message.bytes": "1000"})
    records = [
        KeyedRecord(name, "before", b"x"),
        KeyedRecord(name, "too large for the client", b"x" * 2_000_000),
        KeyedRecord(small, "too large for the topic", b"x" * 2_000),
        KeyedRecord(name, "after", b"x"),
    ]

    failed = failure_of(solutions, broker.client_properties(), records)

    evidence.table("Reports", report_rows(failed.reports))
    errors = {each.key: each.error.code() for each in failed.reports if each.error is not None}
    assert errors == {
        b"too large for the client": KafkaError.MSG_SIZE_TOO_LARGE,
        b"too large for the topic": KafkaError.MSG_SIZE_TOO_LARGE,
    }, "both are named, with the reason"
    assert len(failed.reports) == 4, "the others are reported too"
    assert [each.key() for each in read(consumer(), name)] == [b"before", b"after"], "and there"


@pytest.mark.fact("a-full-queue-is-waited-out", scope="the component routing")
def test_a_full_queue_is_waited_out(
    broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """More records than the client's queue holds are published all the same, in order."""
    name = topic()
    records = [KeyedRecord(name, "user-1", b"%d" % number) for number in range(200)]
    config = {**broker.client_properties(), "queue.buffering.max.messages": 10}

    reports = solutions.routing.publish(config, records)

    values = [each.value() for each in read(consumer(), name)]
    evidence.table("200 records, a queue of 10", [{"reports": len(reports), "log": len(values)}])
    assert len(reports) == 200, "each is reported"
    assert values == [each.value for each in records], "each is in the log, in order, and once"


@pytest.mark.fact("batched-and-single-agree", scope="the component routing")
def test_batched_and_single_publishing_give_the_same_log(
    broker: Broker,
    topic: TopicMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """Published in batches or one by one, the same records make the same log."""
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
    assert len(logs[batched]) == 30, "all records are there"
    assert logs[batched] == logs[single], "the same partitions, offsets, keys and values"


@pytest.mark.fact("distribution-adds-up", scope="the component routing")
def test_distribution_adds_up(
    broker: Broker, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """The distribution counts every record that was sent, and empty partitions too.

    Its figures: the share of each partition, the fullest against the mean, and
    chi-square against an even spread.
    """
    records = user_events(topic=topic(partitions=6))
    reports = solutions.routing.publish(broker.client_properties(), records)
    places = [each.partition for each in reports if each.partition is not None]

    seen = solutions.routing.distribution(places, 6)

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
    assert list(seen.counts) == [counts[partition] for partition in range(6)], "empty ones too"
    assert sum(seen.counts) == 30, "no record is missing"
    assert sum(seen.shares) == pytest.approx(1), "shares are parts of the whole"
    assert seen.skew == pytest.approx(max(counts.values()) / 5), "the mean is 5 a partition"
    assert statistic == pytest.approx(sum((each - 5) ** 2 / 5 for each in seen.counts))
    assert p_value < 0.01, "three keys over six partitions are not an even spread"


# What the tests above share

# The keys that VerifiableProducer sends when it is told to repeat so many.
NUMBERS = [b"%d" % number for number in range(30)]
VERIFIABLE_PRODUCER = (
    "kafka-verifiable-producer",
    *("--max-messages", f"{len(NUMBERS)}", "--repeating-keys", f"{len(NUMBERS)}"),
)

EIGHT_KEYS = (
    "Eight of the 300 keys, of which the other 292 are random bytes: hash, remainder, and the "
    "partition that the broker's report names"
)

NO_PROPERTY = "no such property"
COMPARED = (
    "enable.idempotence",
    "max.in.flight.requests.per.connection",
    "isolation.level",
    "partitioner",
    "partitioner.class",
    "linger.ms",
)


# Port 1 of this machine: nobody listens there.
NO_BROKER = {"bootstrap.servers": "127.0.0.1:1", "log_level": "0"}


# Names that a reader knows again; random ones prove more.
USERS = [b"user-%d" % number for number in range(8)]

AT_THE_LAST_TWO = "Compare the last two columns: the remainder of the hash is the partition."


class Reports:
    """Gathers delivery reports; the callback only appends."""

    def __init__(self) -> None:
        self._seen: list[object] = []

    def __call__(self, error: KafkaError | None, message: object) -> None:
        self._seen.append((error, message))

    def __len__(self) -> int:
        return len(self._seen)


def as_records(published: Sequence[KeyedRecord]) -> list[Record]:
    """The demo data as plain records."""
    return [Record(each.value, str(each.key).encode()) for each in published]


def random_keys(count: int) -> list[bytes]:
    """Keys of 1 to 32 random bytes, always the same ones."""
    dice = random.Random(42)
    return [dice.randbytes(dice.randint(1, 32)) for _ in range(count)]


def hostile_keys(count: int) -> list[bytes]:
    """Keys of all kinds: empty, text of many scripts, binary, and some up to 64 KiB."""
    dice = random.Random(43)
    texts = ["", "0", "user-1", "Jürgen", "東京", "مرحبا", "🦊" * 7, "a\x00b", "\u202e"]
    sizes = [1 << power for power in range(17)]
    large = [dice.randbytes(size) for size in sizes]
    small = [dice.randbytes(dice.randint(1, 64)) for _ in range(count)]
    return [*(text.encode() for text in texts), *large, *small]


def crc32_rows(
    keys: Sequence[bytes], deliveries: Sequence[DeliveryReport], partitions: int
) -> list[dict[str, object]]:
    """Keys with their CRC32, its remainder and their partition, as rows of evidence."""
    return hash_rows("CRC32", {key: crc32(key) for key in keys}, deliveries, partitions)


def places_of(deliveries: Sequence[DeliveryReport]) -> dict[bytes, int]:
    """The partition of each key."""
    return {each.key or b"": each.partition for each in deliveries}


def java_places(java: JavaClient) -> dict[bytes, int]:
    """The partition of each key that Java's client has sent, once it has sent them all."""
    java.wait_for_end()
    return {each["key"].encode(): each["partition"] for each in java.named("producer_send_success")}


def both_rows(python: Mapping[bytes, int], java: Mapping[bytes, int]) -> list[dict[str, object]]:
    """The first keys with their partitions by both clients, as rows of evidence."""
    return [
        {"key": key, "librdkafka": python.get(key), "Java": java.get(key)} for key in NUMBERS[:8]
    ]


def murmur2_rows(
    keys: Sequence[bytes], deliveries: Sequence[DeliveryReport], partitions: int
) -> list[dict[str, object]]:
    """Keys with their murmur2, its remainder and their partition, as rows of evidence."""
    # The client's function returns a remainder: of the largest number it is the hash itself,
    # without its sign bit.
    hashes = {key: confluent_kafka.murmur2(key, 0x7FFFFFFF) for key in keys}
    return hash_rows("murmur2 & 0x7fffffff", hashes, deliveries, partitions)


def hash_rows(
    name: str, hashes: Mapping[bytes, int], deliveries: Sequence[DeliveryReport], partitions: int
) -> list[dict[str, object]]:
    """Keys with their hash, its remainder and their partition, as rows of evidence."""
    found = {each.key: each.partition for each in deliveries}
    return [
        {
            "key": key,
            name: number,
            f"hash % {partitions}": number % partitions,
            "partition": found[key],
        }
        for key, number in hashes.items()
    ]


def said_rows(
    keys: Sequence[bytes],
    deliveries: Sequence[DeliveryReport],
    predict: Callable[[bytes, int], int],
    partitions: int,
) -> list[dict[str, object]]:
    """Keys with what was predicted and their partition, as rows of evidence."""
    found = {each.key: each.partition for each in deliveries}
    return [{"key": key, "said": predict(key, partitions), "partition": found[key]} for key in keys]


def mispredicted(
    deliveries: Sequence[DeliveryReport], predict: Callable[[bytes, int], int], partitions: int
) -> list[tuple[bytes, int, int]]:
    """Keys that are not where the function said: key (its first bytes), said, found."""
    return [
        (each.key[:20], said, each.partition)
        for each in deliveries
        if each.key is not None and (said := predict(each.key, partitions)) != each.partition
    ]


def failure_of(
    solutions: Solutions,
    config: Mapping[str, str],
    records: Sequence[KeyedRecord],
    limit: float = 20,
) -> PublishFailed:
    """The failure with which publishing must end."""
    with pytest.raises(PublishFailed) as failed:
        solutions.routing.publish(config, records, limit=limit)
    raised: PublishFailed = failed.value
    return raised


def by_partition(deliveries: Sequence[DeliveryReport], partitions: int) -> dict[int, int]:
    """How many records each partition got."""
    counts = Counter(each.partition for each in deliveries)
    return {partition: counts[partition] for partition in range(partitions)}


def by_partition_and_key(
    deliveries: Sequence[DeliveryReport], partitions: int
) -> dict[int, dict[str, int]]:
    """How many records of each key each partition got."""
    return {
        partition: dict(
            Counter(name_of(each.key) for each in deliveries if each.partition == partition)
        )
        for partition in range(partitions)
    }


def hot_and_cold(
    deliveries: Sequence[DeliveryReport], partitions: int
) -> dict[int, dict[str, int]]:
    """How many records of the hot key, salted or not, and of all others each partition got."""
    return {
        partition: dict(
            Counter(
                name_of(each.key).split("-")[0]
                for each in deliveries
                if each.partition == partition
            )
        )
        for partition in range(partitions)
    }


def name_of(key: bytes | None) -> str:
    """A key as text."""
    return (key or b"").decode()


def fullest_against_mean(deliveries: Sequence[DeliveryReport], partitions: int) -> float:
    """The fullest partition's records over the mean."""
    counts = by_partition(deliveries, partitions)
    return round(max(counts.values()) / (len(deliveries) / partitions), 2)


def partitions_of_keys(deliveries: Sequence[DeliveryReport]) -> dict[bytes, set[int]]:
    """The partitions that each key's records landed in."""
    found: dict[bytes, set[int]] = {}
    for each in deliveries:
        found.setdefault(each.key or b"", set()).add(each.partition)
    return found


def delivery_rows(deliveries: Sequence[DeliveryReport]) -> list[dict[str, object]]:
    """Delivery reports as rows of evidence."""
    return [
        {"partition": e.partition, "offset": e.offset, "error": e.error.name() if e.error else None}
        for e in deliveries
    ]


def report_rows(reports: Sequence[Report]) -> list[dict[str, object]]:
    """The component's reports as rows of evidence."""
    return [
        {"key": e.key, "partition": e.partition, "offset": e.offset, "error": e.error}
        for e in reports
    ]
