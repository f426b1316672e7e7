"""Task 1.2: where does a record land, and who decides?

These are facts about Kafka: they use plain clients and hold whatever you write.
Facts about the component follow, in test_task_1_2_component.py.
"""

from __future__ import annotations

import json
import random
from binascii import crc32
from collections import Counter
from collections.abc import Mapping, Sequence

import confluent_kafka
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from kafkalab.contracts.routing import KeyedRecord
from kafkalab.demo import user_events
from kafkalab.fixtures import JavaDefaults, JavaStarter, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.librdkafka import librdkafka_defaults
from kafkalab.observe.java_client import JavaClient
from kafkalab.observe.records import (
    BY_KEY,
    DeliveryReport,
    Record,
    by_partition,
    by_partition_and_key,
    send,
)
from kafkalab.observe.topics import grow


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


def as_records(published: Sequence[KeyedRecord]) -> list[Record]:
    """The demo data as plain records."""
    return [Record(each.value, str(each.key).encode()) for each in published]


def places_of(deliveries: Sequence[DeliveryReport]) -> dict[bytes, int]:
    """The partition of each key."""
    return {each.key or b"": each.partition for each in deliveries}


def partitions_of_keys(deliveries: Sequence[DeliveryReport]) -> dict[bytes, set[int]]:
    """The partitions that each key's records landed in."""
    found: dict[bytes, set[int]] = {}
    for each in deliveries:
        found.setdefault(each.key or b"", set()).add(each.partition)
    return found


@pytest.mark.fact(
    "same-key-same-partition",
    scope="any partitioner that hashes; while the number of partitions stays",
)
def test_same_key_lands_in_the_same_partition(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Records with the same key land in the same partition, if the same partitioner chooses it.

    So their order can be kept, and one consumer of a group gets them all.
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
    assert len(deliveries) == 30, "All 30 records are delivered."
    assert {key: len(partitions) for key, partitions in used.items()} == {
        b"user-0": 1,
        b"user-1": 1,
        b"user-2": 1,
    }, "Each key has one partition."


@pytest.mark.control("same-key-same-partition", changes="the topic grows from 3 to 6 partitions")
def test_growing_the_topic_moves_keys(
    admin: AdminClient, topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """After a topic has grown, a key can land in another partition than before."""
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
    assert {len(partitions) for partitions in used.values()} == {1, 2}, (
        "Some keys stay in their partition, and some move."
    )


EIGHT_KEYS = (
    "Eight of the 300 keys (the others are random bytes): hash, remainder, and the "
    "partition that the delivery report names"
)

# Names that a reader knows again; random ones prove more.
USERS = [b"user-%d" % number for number in range(8)]

AT_THE_LAST_TWO = "Compare the last two columns: the remainder of the hash is the partition."


def random_keys(count: int) -> list[bytes]:
    """Keys of 1 to 32 random bytes, always the same ones."""
    dice = random.Random(42)
    return [dice.randbytes(dice.randint(1, 32)) for _ in range(count)]


def crc32_rows(
    keys: Sequence[bytes], deliveries: Sequence[DeliveryReport], partitions: int
) -> list[dict[str, object]]:
    """Keys with their CRC32, its remainder and their partition, as rows of evidence."""
    return hash_rows("CRC32", {key: crc32(key) for key in keys}, deliveries, partitions)


@pytest.mark.fact("default-is-crc32", scope="librdkafka's default, partitioner=consistent_random")
@pytest.mark.parametrize("partitions", [3, 4, 6], ids=lambda number: f"{number} partitions")
def test_the_default_partition_is_crc32_of_the_key(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence, partitions: int
) -> None:
    """By default librdkafka puts a key into partition CRC32(key) % number of partitions.

    Java's clients use another hash. If both write to one topic, a key can land
    in two partitions unless both are set to the same partitioner.
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
    assert missed == [], "Every key is where CRC32 puts it."


@pytest.mark.control("default-is-crc32", changes="partitioner=murmur2_random")
def test_another_partitioner_puts_keys_elsewhere(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """With `murmur2_random` some keys land elsewhere than CRC32 would put them."""
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
    assert missed, "Some keys are not where CRC32 puts them."


def murmur2_rows(
    keys: Sequence[bytes], deliveries: Sequence[DeliveryReport], partitions: int
) -> list[dict[str, object]]:
    """Keys with their murmur2, its remainder and their partition, as rows of evidence."""
    # The client's function returns a remainder: by the largest number that is the hash itself,
    # without its sign bit.
    hashes = {key: confluent_kafka.murmur2(key, 0x7FFFFFFF) for key in keys}
    return hash_rows("murmur2 & 0x7fffffff", hashes, deliveries, partitions)


# What Kafka's own test of its hash demands (UtilsTest.testMurmur2), with Java's sign.
KAFKAS_OWN = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.fact("java-is-murmur2", scope="Java's default; librdkafka with partitioner=murmur2*")
@pytest.mark.parametrize("partitions", [3, 4, 6], ids=lambda number: f"{number} partitions")
def test_java_compatible_placement_is_murmur2(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence, partitions: int
) -> None:
    """With `murmur2_random` a key's partition is (murmur2 & 0x7fffffff) % number of partitions.

    Java's default does the same. The mask clears the sign bit, which is not the
    same as the absolute value.
    """
    name = topic(partitions=partitions)
    keys = [*KAFKAS_OWN, *USERS, *random_keys(286)]
    writer = producer({"partitioner": "murmur2_random"})

    deliveries = send(writer, name, [Record(b"x", key) for key in keys], partition=BY_KEY)

    places = places_of(deliveries)
    missed = [key for key in keys if places[key] != confluent_kafka.murmur2(key, partitions)]
    evidence.table(
        "The keys of Kafka's own test of its hash",
        [
            {
                "key": key,
                "murmur2": hashed,
                "& 0x7fffffff": hashed & 0x7FFFFFFF,
                f"% {partitions}": (hashed & 0x7FFFFFFF) % partitions,
                "partition": places[key],
            }
            for key, hashed in KAFKAS_OWN.items()
        ],
        look=AT_THE_LAST_TWO,
    )
    evidence.shares(
        f"{len(keys)} keys",
        by_partition(deliveries, partitions),
        look="No bar is empty, and none is far ahead: this hash spreads keys as dice would, too.",
    )
    evidence.number("keys elsewhere than murmur2 says", len(missed), f"of {len(keys)}")
    assert {key: places[key] for key in KAFKAS_OWN} == {
        key: (hashed & 0x7FFFFFFF) % partitions for key, hashed in KAFKAS_OWN.items()
    }, "Each key of Kafka's own test is where its hash puts it."
    assert missed == [], "Every key is where murmur2 puts it."


@pytest.mark.control("java-is-murmur2", changes="librdkafka's default partitioner")
def test_the_default_is_not_java_compatible(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """By default librdkafka puts some keys elsewhere than murmur2 would."""
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
    assert missed, "Some keys are not where murmur2 puts them."


# VerifiableProducer sends these keys if it is called with --repeating-keys 30: 0 to 29.
NUMBERS = [b"%d" % number for number in range(30)]

VERIFIABLE_PRODUCER = (
    "kafka-verifiable-producer",
    *("--max-messages", f"{len(NUMBERS)}", "--repeating-keys", f"{len(NUMBERS)}"),
)


def java_places(java: JavaClient) -> dict[bytes, int]:
    """The partition of each key that Java's client has sent, once it has sent them all."""
    java.wait_for_end()
    return {each["key"].encode(): each["partition"] for each in java.named("producer_send_success")}


@pytest.mark.fact("javas-keys-land-elsewhere", scope="both clients' default partitioners")
@pytest.mark.needs("jars")
def test_java_puts_the_same_keys_elsewhere(
    topic: TopicMaker, producer: ProducerMaker, java_client: JavaStarter, evidence: Evidence
) -> None:
    """If Java's client sends the same keys, some land in other partitions than librdkafka's.

    If services of both write to one topic, such a key's records are in two
    partitions, and in no order.
    """
    name = topic(partitions=3)
    java = java_client(*VERIFIABLE_PRODUCER, "--topic", name)

    deliveries = send(producer(), name, [Record(b"x", key) for key in NUMBERS], partition=BY_KEY)

    python, javas = places_of(deliveries), java_places(java)
    elsewhere = [key for key in NUMBERS if python[key] != javas[key]]
    evidence.table(
        "The partition of each key, by the client that sent it",
        NUMBERS[:8],
        {"key": bytes.decode, "librdkafka": python.get, "Java": javas.get},
        look="Go down the two columns: where they agree, it is by chance.",
    )
    evidence.number("keys elsewhere by Java's client", len(elsewhere), f"of {len(NUMBERS)}")
    assert javas == {key: confluent_kafka.murmur2(key, 3) for key in NUMBERS}, (
        "Java's keys are where murmur2 puts them."
    )
    assert python == {key: crc32(key) % 3 for key in NUMBERS}, (
        "librdkafka's keys are where CRC32 puts them."
    )
    assert elsewhere, "Some keys are in two partitions."


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
        NUMBERS[:8],
        {"key": bytes.decode, "librdkafka": python.get, "Java": javas.get},
        look="Both columns are the same.",
    )
    assert python == javas, "Both clients put every key into the same partition."


Pairs = Mapping[str, tuple[bytes, bytes]]


# Each pair means the same, and is written in two ways.
WRITTEN_IN_TWO_WAYS: Pairs = {
    "the number 1, as text and as Java's IntegerSerializer writes it": (b"1", b"\0\0\0\1"),
    "a JSON object, its members in another order": (b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}'),
    "a JSON object, with a blank and without": (b'{"id": 7}', b'{"id":7}'),
    "a name, in UTF-8 and in Latin-1": ("Zoë".encode(), "Zoë".encode("latin-1")),
}

# The same, in one agreed form.
WRITTEN_IN_ONE_WAY: Pairs = {
    "the number 1, and the text 1": (str(1).encode(), b"1"),
    "a JSON object, its members sorted": (
        json.dumps({"a": 1, "b": 2}, sort_keys=True).encode(),
        json.dumps({"b": 2, "a": 1}, sort_keys=True).encode(),
    ),
}


def places_of_pairs(writer: Producer, topic: str, pairs: Pairs) -> dict[str, list[int]]:
    """The partitions of both keys of each pair."""
    keys = [key for pair in pairs.values() for key in pair]
    deliveries = send(writer, topic, [Record(b"x", key) for key in keys], partition=BY_KEY)
    places = places_of(deliveries)
    return {what: [places[key] for key in pair] for what, pair in pairs.items()}


@pytest.mark.fact("a-key-is-its-bytes", scope="any client")
def test_a_key_is_its_bytes(topic: TopicMaker, producer: ProducerMaker, evidence: Evidence) -> None:
    """A key is its bytes: written in another way, what means the same is another key.

    It has a hash of its own then, mostly another partition, and compaction keeps
    both. So all producers of a topic have to agree on one form.
    """
    # Of seven partitions, for with fewer two of these keys would meet by chance.
    name = topic(partitions=7)

    places = places_of_pairs(producer(), name, WRITTEN_IN_TWO_WAYS)

    evidence.table(
        "Keys that mean the same",
        [{"keys": what, "partitions": pair} for what, pair in places.items()],
        look="In each row the two partitions differ, as the bytes do.",
    )
    assert all(first != second for first, second in places.values()), (
        "The two keys of each pair are in two partitions."
    )


@pytest.mark.control("a-key-is-its-bytes", changes="both are written in the same way")
def test_the_same_bytes_are_the_same_key(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """If both are written in one agreed form, they are one key, however they were made."""
    name = topic(partitions=7)

    places = places_of_pairs(producer(), name, WRITTEN_IN_ONE_WAY)

    evidence.table(
        "Keys that mean the same",
        [{"keys": what, "partitions": pair} for what, pair in places.items()],
    )
    assert all(first == second for first, second in places.values()), (
        "The two keys of each pair are in one partition."
    )


def places_in(writer: Producer, topic: str, keys: Sequence[bytes]) -> dict[bytes, int]:
    """The partition of each key in a topic."""
    return places_of(send(writer, topic, [Record(b"x", key) for key in keys], partition=BY_KEY))


FIFTY = [b"user-%d" % number for number in range(50)]


@pytest.mark.fact("co-partitioned", scope="any partitioner that hashes; the same for both topics")
def test_co_partitioned_topics_put_a_key_at_the_same_number(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """If two topics have as many partitions, a key has the same partition number in both.

    So a consumer that has partition 2 of both gets all records of its keys, and
    can join the topics without asking others. Kafka does not enforce it.
    """
    orders, payments, writer = topic(partitions=4), topic(partitions=4), producer()

    first, second = places_in(writer, orders, FIFTY), places_in(writer, payments, FIFTY)

    same = [key for key in FIFTY if first[key] == second[key]]
    evidence.rename({orders: "orders", payments: "payments"})
    evidence.table(
        "The partition of the first eight keys in two topics of 4 partitions",
        FIFTY[:8],
        {"key": bytes.decode, "orders": first.get, "payments": second.get},
        look="Both columns are the same.",
    )
    evidence.number("keys at the same number", len(same), f"of {len(FIFTY)}")
    assert same == FIFTY, "Each key has the same number in both topics."


@pytest.mark.control("co-partitioned", changes="the second topic has 6 partitions")
def test_with_another_count_keys_are_elsewhere(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """If one of two topics has another number of partitions, most keys have two numbers."""
    orders, payments, writer = topic(partitions=4), topic(partitions=6), producer()

    first, second = places_in(writer, orders, FIFTY), places_in(writer, payments, FIFTY)

    same = [key for key in FIFTY if first[key] == second[key]]
    evidence.rename({orders: "orders", payments: "payments"})
    evidence.table(
        "The partition of the first eight keys in topics of 4 and of 6 partitions",
        FIFTY[:8],
        {"key": bytes.decode, "orders": first.get, "payments": second.get},
    )
    evidence.number("keys at the same number", len(same), f"of {len(FIFTY)}")
    assert len(same) < len(FIFTY) / 2, "Less than half of the keys have the same number."


@pytest.mark.fact(
    "null-key-sticks", scope="librdkafka's default, sticky.partitioning.linger.ms > 0"
)
def test_records_without_a_key_stick_to_a_partition(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Records without a key do not go round robin: for a while all go to one partition.

    So they fill batches. After `sticky.partitioning.linger.ms` (twice
    `linger.ms` by default, so 10 ms) another partition is chosen by chance. As
    long as the client does not know the partitions' leaders, each record gets
    one by chance.
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
    assert len({each.partition for each in deliveries}) == 1, "All records are in one partition."


@pytest.mark.control("null-key-sticks", changes="sticky.partitioning.linger.ms=0")
def test_without_stickiness_each_record_draws_a_partition(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Without stickiness each record without a key gets a partition of its own, by chance."""
    name, writer = topic(partitions=6), producer({"sticky.partitioning.linger.ms": 0})
    send(writer, name, [b"makes the client ask for the partitions"], partition=BY_KEY)

    deliveries = send(writer, name, [b"x"] * 200, partition=BY_KEY)

    evidence.shares(
        "200 records without a key",
        by_partition(deliveries, 6),
        look="Every bar has some of the records, about a sixth each: each of them was drawn by "
        "itself.",
    )
    assert {each.partition for each in deliveries} == set(range(6)), "Every partition has records."


def send_empty_and_none(writer: Producer, topic: str) -> dict[str, list[DeliveryReport]]:
    """Send 200 records with an empty key, and 200 without one, once the client knows the topic."""
    send(writer, topic, [b"makes the client ask for the partitions"], partition=BY_KEY)
    return {
        "empty": send(writer, topic, [Record(b"x", key=b"")] * 200, partition=BY_KEY),
        "none": send(writer, topic, [Record(b"x", key=None)] * 200, partition=BY_KEY),
    }


def used_by(sent: Mapping[str, Sequence[DeliveryReport]]) -> dict[str, int]:
    """How many partitions the records of each kind of key landed in."""
    return {kind: len({each.partition for each in told}) for kind, told in sent.items()}


def by_partition_and_kind(
    sent: Mapping[str, Sequence[DeliveryReport]], partitions: int
) -> dict[int, dict[str, int]]:
    """How many records of each kind of key each partition got."""
    counts = {kind: by_partition(told, partitions) for kind, told in sent.items()}
    return {
        partition: {kind: counted[partition] for kind, counted in counts.items()}
        for partition in range(partitions)
    }


@pytest.mark.fact("empty-key-is-not-null", scope="librdkafka's default, consistent_random")
@pytest.mark.parametrize(
    ("linger_ms", "used"), [(0, 6), (60_000, 1)], ids=["sticky 0 ms", "sticky 60 s"]
)
def test_the_default_treats_an_empty_key_like_none(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence, linger_ms: int, used: int
) -> None:
    """librdkafka's default treats an empty key like none: nothing ties its records to a partition.

    They stick together for a while, or scatter, as `sticky.partitioning.linger.ms`
    says. The consumer still reads an empty key and not null, so nothing shows
    that order was lost.
    """
    name, writer = topic(partitions=6), producer({"sticky.partitioning.linger.ms": linger_ms})

    sent = send_empty_and_none(writer, name)

    evidence.shares(
        f"200 records with an empty key and 200 without one; sticky for {linger_ms:,} ms",
        by_partition_and_kind(sent, 6),
        look="Either both colours stand in all bars, or each stands in one that was drawn: an "
        "empty key and none are treated alike.",
    )
    assert {each.key for each in sent["empty"]} == {b""}, "The key is empty, and not null."
    assert used_by(sent) == {"empty": used, "none": used}, (
        "Records with an empty key use as many partitions as records without one."
    )


@pytest.mark.control("empty-key-is-not-null", changes="partitioner=murmur2_random")
def test_murmur2_keeps_an_empty_key_together(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """With `murmur2_random` an empty key counts as a key: its records are in one partition."""
    name = topic(partitions=6)
    writer = producer({"sticky.partitioning.linger.ms": 0, "partitioner": "murmur2_random"})

    sent = send_empty_and_none(writer, name)

    evidence.shares(
        "200 records with an empty key and 200 without one; sticky for 0 ms",
        by_partition_and_kind(sent, 6),
        look="The empty key stands in one bar: it was hashed as any other. Records without a "
        "key stand in all.",
    )
    assert used_by(sent) == {"empty": 1, "none": 6}, (
        "The empty key has one partition, and records without a key have all six."
    )


@pytest.mark.fact("explicit-partition-wins", scope="any client")
def test_a_named_partition_beats_the_hash(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """If the producer names a partition, the record goes there, whatever the key's hash says.

    From Python this is how you use a partitioner of your own: compute the
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
    assert delivery.partition == elsewhere, (
        "The record is in the partition that the producer named."
    )


@pytest.mark.control("explicit-partition-wins", changes="no partition is named")
def test_unnamed_the_hash_decides(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """If the producer names no partition, the hash of the key decides."""
    name, key = topic(partitions=3), b"user-1"

    (delivery,) = send(producer(), name, [Record(b"x", key)], partition=BY_KEY)

    evidence.table(
        "Key, hash and partition", crc32_rows([key], [delivery], 3), look=AT_THE_LAST_TWO
    )
    assert delivery.partition == crc32(key) % 3, "The record is where CRC32 puts its key."


@pytest.mark.fact("few-keys-skew", scope="any partitioner that hashes")
def test_few_keys_do_not_spread_evenly(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """A few keys seldom spread evenly: three keys mostly leave one of three partitions empty.

    Each key gets its partition as if by a throw of dice. That three keys get
    three different ones has a chance of 2 in 9.
    """
    name, keys = topic(partitions=3), random_keys(300)
    draws = [keys[at : at + 3] for at in range(0, len(keys), 3)]

    deliveries = send(producer(), name, [Record(b"x", key) for key in keys], partition=BY_KEY)

    places = places_of(deliveries)
    used = Counter(len({places[key] for key in three}) for three in draws)
    evidence.table(
        "Three keys, drawn by chance a hundred times",
        [{"partitions that the three use": n, "times": used[n]} for n in (3, 2, 1)],
        look="Only the first row is an even spread.",
    )
    assert used[3] < len(draws) / 3, "Less than a third of the draws use all three partitions."
    assert used[2] > len(draws) / 2, "Most draws leave one partition empty."


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
    assert len(counts) == 3, "No partition is empty."
    assert skew < 1.2, "The fullest partition has less than a fifth more than its share."


def hot_and_cold(
    deliveries: Sequence[DeliveryReport], partitions: int
) -> dict[int, dict[str, int]]:
    """How many records of the hot key, salted or not, and of all others each partition got."""
    return {
        partition: dict(
            Counter(
                (each.key or b"").decode().split("-")[0]
                for each in deliveries
                if each.partition == partition
            )
        )
        for partition in range(partitions)
    }


def fullest_against_mean(deliveries: Sequence[DeliveryReport], partitions: int) -> float:
    """The fullest partition's records over the mean."""
    counts = by_partition(deliveries, partitions)
    return round(max(counts.values()) / (len(deliveries) / partitions), 2)


@pytest.mark.fact("hot-key-hot-partition", scope="any partitioner that hashes")
def test_a_hot_key_makes_a_hot_partition(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """If half of all records have one key, its partition is overloaded, however many there are.

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
    assert skew > 3, "One partition has more than three times its share."


@pytest.mark.control("hot-key-hot-partition", changes="the hot key is salted, twelve ways")
def test_a_salted_key_spreads(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """If you add a number to the hot key, its records spread, and lose their order."""
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
    assert skew < 2, "No partition has twice its share."
    hot_in = {each.partition for each in deliveries if (each.key or b"").startswith(b"hot")}
    assert len(hot_in) > 1, "The key's records are in several partitions."


NO_PROPERTY = "no such property"

COMPARED = (
    "enable.idempotence",
    "max.in.flight.requests.per.connection",
    "isolation.level",
    "partitioner",
    "partitioner.class",
    "linger.ms",
)


@pytest.mark.fact("python-defaults-are-not-javas", scope="confluent-kafka (librdkafka) 2")
def test_librdkafka_has_defaults_of_its_own(evidence: Evidence) -> None:
    """librdkafka's producer is not idempotent by default, and its partitioner is CRC32.

    Advice for Java's client does not hold for Python's: look the defaults up.
    librdkafka's consumer reads only committed transactions by default.
    """
    defaults = librdkafka_defaults()
    # The library lists a default under the older of two names.
    librdkafka = {**defaults, "linger.ms": defaults["queue.buffering.max.ms"]}

    evidence.table(
        "librdkafka",
        [{"property": p, "default": librdkafka.get(p, NO_PROPERTY)} for p in COMPARED],
        look="Compare with Java's below: only linger.ms is the same.",
    )
    assert defaults["enable.idempotence"] == "false", (
        "librdkafka's producer is not idempotent by default."
    )
    assert int(defaults["max.in.flight.requests.per.connection"]) > 5, (
        "librdkafka's default sends more requests at once than idempotence allows."
    )
    assert defaults["isolation.level"] == "read_committed", (
        "librdkafka's consumer reads only committed records by default."
    )
    assert defaults["partitioner"] == "consistent_random", (
        "librdkafka's default partitioner is consistent_random."
    )


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
    assert java["enable.idempotence"] == "true", "Java's producer is idempotent by default."
    assert int(java["max.in.flight.requests.per.connection"]) == 5, (
        "Java's default sends five requests at once."
    )
    assert java["isolation.level"] == "read_uncommitted", (
        "Java's consumer reads uncommitted records by default."
    )
    assert "partitioner" not in java, (
        "Java has no property `partitioner`: its `partitioner.class` names a class."
    )
