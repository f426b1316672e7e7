"""Task 1.1: what is a topic made of, and what may change?

Facts about Kafka come first, here and in the next three modules: they use plain
clients and hold whatever you write. Facts about the component follow, in
test_task_1_1_component.py.
"""

from __future__ import annotations

from binascii import crc32

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from kafkalab.brokers import Broker
from kafkalab.fixtures import ConsumerMaker, JavaStarter, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.log_cleaning import (
    CLEANING_LIMIT,
    COMPACT_SOON,
    KEEP_FOR_EVER,
    LONG_AGO_MS,
    NEXT_SEGMENT_MS,
)
from kafkalab.observe.records import BY_KEY, Record, error_of, poll_until, read, send
from kafkalab.observe.topics import (
    describe_topic,
    grow,
    partitions_with_leader,
    refusal,
    settings_of,
    topic_id,
)
from kafkalab.waiting import wait_until

# What a topic is made of


@pytest.mark.fact("topic-has-its-partitions", scope="any client")
def test_a_topic_has_its_partitions(
    admin: AdminClient, topic: TopicMaker, evidence: Evidence
) -> None:
    """A created topic has the partitions and replicas that were asked for, each with a leader.

    The number of partitions bounds how many consumers of a group can share the
    work; the number of replicas bounds how many brokers may be lost.
    """
    name = topic(partitions=3, replicas=1)

    partitions = describe_topic(admin, name).partitions

    evidence.table(
        "The topic as the broker describes it",
        partitions,
        {
            "partition": "id",
            "leader is broker": lambda each: each.leader.id,
            "replicas are on brokers": lambda each: [node.id for node in each.replicas],
        },
    )
    assert [each.id for each in partitions] == [0, 1, 2], (
        "There are three partitions, counted from 0."
    )
    assert all(len(each.replicas) == 1 for each in partitions), (
        "Each partition has the one replica that was asked for."
    )
    assert all(each.leader.id == each.replicas[0].id for each in partitions), (
        "The broker that has the replica is the partition's leader."
    )


@pytest.mark.control("topic-has-its-partitions", changes="nothing was created")
def test_an_uncreated_topic_is_unknown(
    admin: AdminClient, topic: TopicMaker, evidence: Evidence
) -> None:
    """A topic that nobody created has no partitions: the broker does not know it."""
    name = topic.name()

    with pytest.raises(KafkaException) as refused:
        describe_topic(admin, name)

    evidence.note("The broker's answer: {}", refused.value.args[0])
    assert refused.value.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART, (
        "The error says that the topic is unknown."
    )


# The first two have the same key, and the third, of a later week, closes their segment.
CHANGES_OF_A_KEY = [
    Record(b"old", key=b"k", timestamp_ms=LONG_AGO_MS),
    Record(b"new", key=b"k", timestamp_ms=LONG_AGO_MS),
    Record(b"end", key=b"z", timestamp_ms=LONG_AGO_MS + NEXT_SEGMENT_MS),
]


@pytest.mark.fact(
    "partition-is-an-append-only-log",
    scope="any client; until retention or compaction takes them out",
)
def test_a_partition_is_an_append_only_log(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """Records in a partition keep their offsets and bytes; new records only follow at the end.

    That is why a consumer needs to remember only one offset for a partition.
    """
    name, writer, reader = topic(settings=KEEP_FOR_EVER), producer(), consumer()
    for record in CHANGES_OF_A_KEY:
        send(writer, name, [record])
    before = [(each.offset(), each.value()) for each in read(reader, name)]
    id_before = topic_id(admin, name)

    send(writer, name, [b"d", b"e"])

    after = [(each.offset(), each.value()) for each in read(reader, name)]
    evidence.table(
        "The partition before and after two more records",
        [
            {"offset": offset, "before": dict(before).get(offset), "after": value}
            for offset, value in after
        ],
        look="The first three rows are the same before and after; the new records only follow.",
    )
    assert after[: len(before)] == before, "The old log is the beginning of the new one."
    assert after[len(before) :] == [(3, b"d"), (4, b"e")], "The new records follow the old ones."
    assert topic_id(admin, name) == id_before, "It is the same topic, and not a new one."


@pytest.mark.control("partition-is-an-append-only-log", changes="the topic is compacted")
@pytest.mark.needs("quick_compaction")
def test_a_compacted_log_loses_records(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Compaction takes records out of the middle, but the others keep their offsets."""
    name, writer, reader = topic(settings=COMPACT_SOON), producer(), consumer()

    written = [send(writer, name, [record])[0] for record in CHANGES_OF_A_KEY]

    kept = wait_until(
        lambda: [(each.offset(), each.value()) for each in read(reader, name)],
        lambda seen: len(seen) < len(written),
        limit=CLEANING_LIMIT,
        what="compaction to take a record out",
    )
    evidence.table(
        "Written, and still there after compaction",
        [
            {"offset": each.offset, "written": each.value, "kept": dict(kept).get(each.offset)}
            for each in written
        ],
        look="One record is gone, and those that stay have kept their offsets: there is a hole.",
    )
    assert kept == [(1, b"new"), (2, b"end")], (
        "Offset 0 is gone, and the others keep their offsets 1 and 2."
    )


@pytest.mark.fact("offsets-count-from-zero-per-partition", scope="any client")
def test_each_partition_counts_its_own_offsets(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Each partition counts its own offsets, from 0.

    An offset alone identifies nothing: topic, partition and offset together do.
    """
    name, writer = topic(partitions=2), producer()

    first = send(writer, name, [b"a", b"b", b"c"], partition=0)
    second = send(writer, name, [b"d", b"e"], partition=1)

    evidence.table(
        "Delivery reports",
        [*first, *second],
        ("value", "partition", "offset"),
        look="Offset 0 is there twice: once in each partition.",
    )
    assert [each.offset for each in first] == [0, 1, 2], "Partition 0 counts from 0."
    assert [each.offset for each in second] == [0, 1], "Partition 1 counts from 0 as well."


@pytest.mark.control(
    "offsets-count-from-zero-per-partition", changes="the second batch goes to the same partition"
)
def test_in_one_partition_offsets_count_on(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """In the same partition a second batch does not begin at 0: its offsets count on."""
    name, writer = topic(partitions=2), producer()

    first = send(writer, name, [b"a", b"b", b"c"], partition=0)
    second = send(writer, name, [b"d", b"e"], partition=0)

    evidence.table("Delivery reports", [*first, *second], ("value", "partition", "offset"))
    assert [each.offset for each in first] == [0, 1, 2], "The first batch has the offsets 0 to 2."
    assert [each.offset for each in second] == [3, 4], "The second batch counts on from there."


@pytest.mark.fact("segment-is-a-file", scope="Apache Kafka's local log")
@pytest.mark.needs("log_dirs")
def test_a_partition_is_segment_files(
    broker: Broker, topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """A partition is files on the broker's disk: a set for each segment, named by its first offset.

    `.log` has the records; `.index` and `.timeindex` find a place in it by
    offset and by time. New records go only to the last segment, the active one.
    """
    name, writer = topic(settings=KEEP_FOR_EVER), producer()

    for segment in range(3):
        send(writer, name, [Record(b"x", timestamp_ms=LONG_AGO_MS + segment * NEXT_SEGMENT_MS)])

    folder = broker.log_dir(broker.node_ids[0]) / f"{name}-0"
    files = sorted(folder.glob("0*"))
    logs = [each.name for each in files if each.suffix == ".log"]
    evidence.table(
        "Files of the partition",
        [
            {
                "file": log,
                "bytes": (folder / log).stat().st_size,
                "with the same name": [
                    f.suffix for f in files if f.stem == log.removesuffix(".log") and f.name != log
                ],
            }
            for log in logs
        ],
    )
    assert logs == [f"{offset:020}.log" for offset in (0, 1, 2)], (
        "Each segment's log is named by its first offset."
    )
    for suffix in (".index", ".timeindex"):
        assert all((folder / log).with_suffix(suffix).exists() for log in logs), (
            f"Each log has its file {suffix} beside it."
        )


@pytest.mark.control("segment-is-a-file", changes="all records are of the same day")
@pytest.mark.needs("log_dirs")
def test_while_nothing_rolls_there_is_one_segment(
    broker: Broker, topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """If nothing makes the broker begin a new segment, all records go to the one active segment."""
    name, writer = topic(settings=KEEP_FOR_EVER), producer()

    for _ in range(3):
        send(writer, name, [Record(b"x", timestamp_ms=LONG_AGO_MS)])

    folder = broker.log_dir(broker.node_ids[0]) / f"{name}-0"
    logs = sorted(each.name for each in folder.glob("*.log"))
    evidence.note("Log files: {}", ", ".join(logs))
    assert logs == [f"{0:020}.log"], "Three records are in one segment."


@pytest.mark.fact("order-only-within-a-partition", scope="any client")
def test_order_holds_within_a_partition_only(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Kafka keeps the order inside of a partition, not across the partitions of a topic.

    A consumer hands out what it got of one partition, then what it got of
    another; which of them comes first is not promised either.
    """
    name, writer, reader = topic(partitions=2), producer(), consumer()
    for number in range(10):
        send(writer, name, [b"%d" % number], partition=number % 2)

    reader.assign([TopicPartition(name, partition, 0) for partition in (0, 1)])
    polled = poll_until(reader, lambda records: len(records) == 10, what="ten records")

    seen = [(each.partition(), int(each.value() or b"")) for each in polled]

    evidence.table(
        "In the order of reading",
        [{"partition": p, "value": n} for p, n in seen],
        look="Within each partition the values ascend. Read from top to bottom they do not.",
    )
    values = [value for _, value in seen]
    for partition in (0, 1):
        own = [value for where, value in seen if where == partition]
        assert own == sorted(own), f"Partition {partition} is read in the order of writing."
    assert values != sorted(values), "The topic as a whole is not read in the order of writing."


@pytest.mark.control("order-only-within-a-partition", changes="the topic has one partition")
def test_one_partition_keeps_the_order_of_all(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With one partition the whole topic is read in the order of writing."""
    name, writer, reader = topic(partitions=1), producer(), consumer()
    for number in range(10):
        send(writer, name, [b"%d" % number])

    reader.assign([TopicPartition(name, 0, 0)])
    polled = poll_until(reader, lambda records: len(records) == 10, what="ten records")

    values = [int(each.value() or b"") for each in polled]

    evidence.note("Read: {}", values)
    assert values == list(range(10)), "One partition is read in the order of writing."


# What may be created, and what may change


@pytest.mark.fact("duplicate-create-changes-nothing", scope="any client")
@pytest.mark.parametrize(
    ("taken", "asked", "code"),
    [
        ("", "", KafkaError.TOPIC_ALREADY_EXISTS),
        (".shop", "_shop", KafkaError.TOPIC_EXCEPTION),
    ],
    ids=["same name", "dot and underscore"],
)
def test_creating_under_a_taken_name_changes_nothing(
    admin: AdminClient, topic: TopicMaker, evidence: Evidence, taken: str, asked: str, code: int
) -> None:
    """If you create a topic under a name that is taken, it fails and changes nothing.

    `.` and `_` count as the same here, because both become `_` in the names of
    metrics.
    """
    there = topic(partitions=3, ending=taken)
    name, before = there.removesuffix(taken) + asked, topic_id(admin, there)

    # The second name counts where both are the same.
    evidence.rename({name: "a_shop", there: "a.shop"})
    error = refusal(admin.create_topics([NewTopic(name, 5, 1)])[name])

    evidence.note("{} is there, {} is asked for: {}", there, name, error or "created")
    assert error is not None, "The name is taken, so the broker refuses."
    assert error.code() == code, f"The error says that the name is taken; it was {error}."
    assert topic_id(admin, there) == before, "It is still the same topic."
    assert len(describe_topic(admin, there).partitions) == 3, (
        "The topic has as many partitions as before."
    )


@pytest.mark.control("duplicate-create-changes-nothing", changes="the name is new")
def test_creating_under_a_new_name_works(
    admin: AdminClient, topic: TopicMaker, evidence: Evidence
) -> None:
    """If the name is new, the same request creates a topic."""
    there, name = topic(partitions=3), topic.name()

    error = refusal(admin.create_topics([NewTopic(name, 5, 1)])[name])

    evidence.note("{} is there, {} is asked for: {}", there, name, error or "created")
    assert error is None, f"A new name is not refused; the broker said {error}."
    wait_until(
        lambda: partitions_with_leader(admin, name),
        lambda seen: seen == 5,
        limit=20,
        what="the new topic with its five partitions",
    )


@pytest.mark.fact("replication-needs-brokers", scope="any client; registered brokers")
def test_more_replicas_than_brokers_are_refused(
    broker: Broker, admin: AdminClient, topic: TopicMaker, evidence: Evidence
) -> None:
    """A topic cannot be created with more replicas than there are brokers.

    Two replicas on one broker would be lost together. What counts is how many
    brokers are registered: one that has crashed counts as well.
    """
    name, brokers = topic.name(), len(broker.node_ids)

    error = refusal(admin.create_topics([NewTopic(name, 1, brokers + 1)])[name])

    evidence.note("{} replicas on {} broker(s): {}", brokers + 1, brokers, error or "created")
    assert error is not None, "The broker refuses."
    assert error.code() == KafkaError.INVALID_REPLICATION_FACTOR, (
        "The error is about the number of replicas."
    )


@pytest.mark.control("replication-needs-brokers", changes="as many replicas as brokers")
def test_as_many_replicas_as_brokers_are_fine(
    broker: Broker, admin: AdminClient, topic: TopicMaker, evidence: Evidence
) -> None:
    """If there are as many brokers as replicas, the same request is granted."""
    name, brokers = topic.name(), len(broker.node_ids)

    error = refusal(admin.create_topics([NewTopic(name, 1, brokers)])[name])

    evidence.note("{} replica(s) on {} broker(s): {}", brokers, brokers, error or "created")
    assert error is None, "The broker does not refuse."


@pytest.mark.fact("partitions-only-grow", scope="any client")
@pytest.mark.parametrize("count", [2, 3], ids=["fewer", "the same number"])
def test_partitions_cannot_become_fewer(
    admin: AdminClient, topic: TopicMaker, evidence: Evidence, count: int
) -> None:
    """A topic's partitions can only become more: fewer, or the same number, is refused.

    With fewer partitions Kafka would have to delete records, or give them other
    offsets.
    """
    name = topic(partitions=3)

    error = refusal(admin.create_partitions([NewPartitions(name, count)])[name])

    evidence.note("From 3 to {}: {}", count, error or "granted")
    assert error is not None, f"To go from 3 partitions to {count} is refused."
    assert error.code() == KafkaError.INVALID_PARTITIONS, (
        "The error is about the number of partitions."
    )
    assert len(describe_topic(admin, name).partitions) == 3, "The topic still has three partitions."


@pytest.mark.control("partitions-only-grow", changes="a larger number")
def test_partitions_can_become_more(
    admin: AdminClient, topic: TopicMaker, evidence: Evidence
) -> None:
    """If you ask for more partitions, the topic gets them."""
    name = topic(partitions=3)
    before = len(describe_topic(admin, name).partitions)

    grow(admin, name, 5)

    found = len(describe_topic(admin, name).partitions)
    evidence.note("From {} to 5: granted, and the broker describes {} partitions", before, found)
    assert found == 5, "The topic has five partitions now."


def partition_by_key(writer: Producer, topic: str, keys: list[bytes]) -> dict[bytes, int]:
    """Where the producer's partitioner puts each key."""
    deliveries = send(writer, topic, [Record(b"x", key=key) for key in keys], partition=BY_KEY)
    return {each.key or b"": each.partition for each in deliveries}


def hash_rows(
    keys: list[bytes], before: dict[bytes, int], after: dict[bytes, int]
) -> list[dict[str, object]]:
    """Keys with their CRC32, and their partitions of 3 and then of 5, as rows of evidence."""
    return [
        {
            "key": key,
            "CRC32": crc32(key),
            "CRC32 % 3": crc32(key) % 3,
            "partition of 3": before[key],
            "CRC32 % 5": crc32(key) % 5,
            "partition of 5": after[key],
            "moved": before[key] != after[key],
        }
        for key in keys
    ]


@pytest.mark.fact(
    "growing-moves-keys", scope="librdkafka's default partitioner; Java's moves other keys"
)
def test_growing_moves_the_keys_whose_hash_says_so(
    admin: AdminClient, topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """If a topic grows, exactly those keys move for which hash % number of partitions changes.

    Records that are there already stay where they are, so a moved key has
    records in two partitions. A producer that runs keeps the old count for a
    while, so a new producer sends the keys here.
    """
    name, keys = topic(partitions=3), [b"user-%d" % number for number in range(60)]
    before = partition_by_key(producer(), name, keys)

    grow(admin, name, 5)
    after = partition_by_key(producer(), name, keys)

    moved = {key for key in keys if before[key] != after[key]}
    computed = {key for key in keys if crc32(key) % 3 != crc32(key) % 5}
    evidence.number("keys that moved", len(moved), f"of {len(keys)}")
    evidence.table(
        "The first ten keys: hash, its remainders, and the partitions that the reports have",
        hash_rows(keys[:10], before, after),
        look="A key stays where both remainders are the same, and moves where they differ.",
    )
    assert moved, "Some keys move."
    assert moved == computed, "Exactly the keys with different remainders move."


@pytest.mark.control("growing-moves-keys", changes="only keys with equal residues are used")
def test_keys_with_equal_residues_stay(
    admin: AdminClient, topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """If hash % number of partitions is the same before and after, the key does not move."""
    candidates = [b"user-%d" % number for number in range(60)]
    name, keys = topic(partitions=3), [k for k in candidates if crc32(k) % 3 == crc32(k) % 5]
    before = partition_by_key(producer(), name, keys)

    grow(admin, name, 5)
    after = partition_by_key(producer(), name, keys)

    evidence.table(
        "Keys with equal remainders",
        hash_rows(keys, before, after),
        look="Both remainders are the same in every row, and so are both partitions.",
    )
    assert keys, "There are keys with equal remainders."
    assert after == before, "No such key moves."


SHOWN_SETTINGS = ("retention.ms", "max.message.bytes", "cleanup.policy")


def setting_rows(settings: dict[str, ConfigEntry]) -> list[dict[str, object]]:
    """Settings with their source, as rows of evidence."""
    return [
        {
            "setting": name,
            "value": settings[name].value,
            "source": ConfigSource(settings[name].source).name,
        }
        for name in SHOWN_SETTINGS
    ]


@pytest.mark.fact("override-or-default", scope="any client")
def test_altering_one_setting_keeps_the_others(
    admin: AdminClient, topic: TopicMaker, evidence: Evidence
) -> None:
    """Each setting is the topic's own or a default; if you alter one, the others keep their source.

    A topic's own settings stay when the broker's defaults change.
    """
    name = topic(settings={"retention.ms": "3600000"})

    change = ConfigEntry("max.message.bytes", "200000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[change])
    admin.incremental_alter_configs([resource])[resource].result(20)

    seen = wait_until(
        lambda: settings_of(admin, name),
        lambda settings: settings["max.message.bytes"].value == "200000",
        limit=20,
        what="the altered setting to be told",
    )
    sources = {each: ConfigSource(seen[each].source).name for each in SHOWN_SETTINGS}
    evidence.table("Settings and their source", setting_rows(seen))
    assert sources["retention.ms"] == "DYNAMIC_TOPIC_CONFIG", (
        "retention.ms is still the topic's own, as created."
    )
    assert sources["max.message.bytes"] == "DYNAMIC_TOPIC_CONFIG", (
        "max.message.bytes is the topic's own since it was altered."
    )
    # Whose default it is, Kafka's or a setting of the broker, is the cluster's affair.
    assert sources["cleanup.policy"] != "DYNAMIC_TOPIC_CONFIG", (
        "cleanup.policy was never set, and is a default."
    )


@pytest.mark.control("override-or-default", changes="the older request that replaces all settings")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_older_request_resets_the_others(
    admin: AdminClient, topic: TopicMaker, evidence: Evidence
) -> None:
    """AlterConfigs, the older request, resets each setting that it does not name to its default."""
    name = topic(settings={"retention.ms": "3600000"})

    resource = ConfigResource(ResourceType.TOPIC, name, set_config={"max.message.bytes": "200000"})
    admin.alter_configs([resource])[resource].result(20)

    seen = wait_until(
        lambda: settings_of(admin, name),
        lambda settings: settings["max.message.bytes"].value == "200000",
        limit=20,
        what="the altered setting to be told",
    )
    source = ConfigSource(seen["retention.ms"].source).name
    evidence.table("Settings and their source", setting_rows(seen))
    assert source != "DYNAMIC_TOPIC_CONFIG", "retention.ms is a default again."


@pytest.mark.fact("who-auto-creates", scope="librdkafka, allow.auto.create.topics=false (default)")
@pytest.mark.cluster(settings={"auto.create.topics.enable": "true"})
def test_a_producer_creates_topics_a_consumer_does_not(
    private_broker: Broker,  # noqa: ARG001 - it lets clients create topics
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """If the broker lets clients create topics, a producer does; librdkafka's consumer does not.

    A mistyped name in a producer then makes a topic that nobody reads. Java's
    consumer does create topics by default.
    """
    written, read_only, reader = topic.name(), topic.name(), consumer()

    delivered = send(producer(), written, [b"x"])
    reader.subscribe([read_only])
    told = wait_until(
        lambda: error_of(reader.poll(0.1)),
        limit=20,
        what="the consumer to be told of the unknown topic",
    )

    known = {name: partitions_with_leader(admin, name) for name in (written, read_only)}
    evidence.rename({written: "w", read_only: "r"})
    evidence.table(
        "Topics afterwards",
        [
            {"topic": name, "used by": user, "exists": known[name] > 0}
            for name, user in ((written, "the producer"), (read_only, "the consumer"))
        ],
    )
    evidence.note("The consumer was told: {}", told)
    assert delivered[0].error is None, (
        "The record is delivered to the topic that the producer created."
    )
    assert told is not None, "The consumer is told of an error."
    assert told.code() == KafkaError.UNKNOWN_TOPIC_OR_PART, (
        "The error says that the topic is unknown."
    )
    assert known == {written: 1, read_only: 0}, "Only the producer's topic is there."


@pytest.mark.control("who-auto-creates", changes="the broker does not let clients create topics")
@pytest.mark.needs("no_auto_create")
def test_where_the_broker_says_no_nobody_creates(
    admin: AdminClient, topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """If the broker lets no client create topics, a producer creates none, and its record fails."""
    # 0.1 s, where the default waits 30 s for a topic that may be about to appear.
    writer, name = producer({"topic.metadata.propagation.max.ms": 100}), topic.name()

    (delivery,) = send(writer, name, [b"x"])

    found = partitions_with_leader(admin, name)
    evidence.rename({name: "w"})
    evidence.table(
        "Topics afterwards",
        [{"topic": name, "used by": "the producer", "exists": found > 0}],
    )
    evidence.note("The producer's delivery report: {}", delivery.error)
    assert delivery.error is not None, "The record cannot be delivered."
    assert delivery.error.code() in (KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART), (
        "The error says that the topic is unknown."
    )
    assert found == 0, "No topic is there."


@pytest.mark.fact("javas-consumer-auto-creates", scope="both clients' allow.auto.create.topics")
@pytest.mark.cluster(settings={"auto.create.topics.enable": "true"})
@pytest.mark.needs("jars")
def test_javas_consumer_creates_what_it_subscribes_to(
    private_broker: Broker,  # noqa: ARG001 - it lets clients create topics
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    consumer: ConsumerMaker,
    java_client: JavaStarter,
    evidence: Evidence,
) -> None:
    """If the broker lets clients create topics, Java's consumer does so by default.

    librdkafka's does not: `allow.auto.create.topics` is true by default for
    Java's client, and false for librdkafka's.
    """
    read_by_java, read_by_python, reader = topic.name(), topic.name(), consumer()
    java_client("kafka-verifiable-consumer", "--topic", read_by_java, "--group-id", f"{group}-java")

    reader.subscribe([read_by_python])
    told = wait_until(
        lambda: error_of(reader.poll(0.1)),
        limit=20,
        what="librdkafka's consumer to be told of the unknown topic",
    )
    created = wait_until(
        lambda: partitions_with_leader(admin, read_by_java),
        limit=20,
        what="the topic that Java's consumer reads",
    )

    left_out = partitions_with_leader(admin, read_by_python)
    evidence.table(
        "The topic that a consumer has subscribed to, and that was not there",
        [{"what": "exists", "librdkafka": left_out > 0, "Java": created > 0}],
    )
    assert told is not None, "librdkafka's consumer is told of an error."
    assert told.code() == KafkaError.UNKNOWN_TOPIC_OR_PART, (
        "The error says that the topic is unknown."
    )
    assert left_out == 0, "librdkafka's consumer creates nothing."
    assert created == 1, "Java's consumer creates the topic."


@pytest.mark.control(
    "javas-consumer-auto-creates", changes="the broker does not let clients create topics"
)
@pytest.mark.needs("jars", "no_auto_create")
def test_where_the_broker_says_no_javas_consumer_creates_nothing(
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    java_client: JavaStarter,
    evidence: Evidence,
) -> None:
    """If the broker lets no client create topics, Java's consumer has nothing to read."""
    name = topic.name()
    java = java_client("kafka-verifiable-consumer", "--topic", name, "--group-id", group)

    (assigned, *_) = java.wait_for("partitions_assigned")

    created = partitions_with_leader(admin, name)
    evidence.table(
        "The topic that Java's consumer has subscribed to, and that was not there",
        [{"exists": created > 0, "partitions of the member": len(assigned["partitions"])}],
    )
    assert created == 0, "No topic is there."
    assert assigned["partitions"] == [], "Java's consumer is assigned no partition."


@pytest.mark.fact("asking-is-creating", scope="librdkafka's producers and admin clients")
@pytest.mark.cluster(settings={"auto.create.topics.enable": "true"})
def test_asking_for_a_topic_by_name_creates_it(
    private_broker: Broker,  # noqa: ARG001 - it lets clients create topics
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    evidence: Evidence,
) -> None:
    """If the broker lets clients create topics, asking for a topic's metadata by name creates it.

    `list_topics(name)` asks so, and so does `produce()`, even if it refuses the
    record: a topic comes to be of which nobody knows why.
    """
    by_admin, by_producer, by_refused = topic.name(), topic.name(), topic.name()
    writer = producer({"message.max.bytes": 10_000})

    admin.list_topics(by_admin, timeout=20)
    writer.list_topics(by_producer, timeout=20)
    with pytest.raises(KafkaException) as refused:
        writer.produce(by_refused, b"x" * 10_001)

    wait_until(
        lambda: partitions_with_leader(admin, by_refused),
        limit=20,
        what="the topic that was asked for last",
    )
    asked = {
        by_admin: "list_topics(name) of an admin client",
        by_producer: "list_topics(name) of a producer",
        by_refused: f"produce(), which raised {refused.value.args[0].name()}",
    }
    known = {name: partitions_with_leader(admin, name) for name in asked}
    evidence.table(
        "Topics that were not there, afterwards",
        [{"asked for by": call, "exists": known[name] > 0} for name, call in asked.items()],
    )
    assert known == {by_admin: 1, by_producer: 1, by_refused: 1}, (
        "Each of the three topics is there, with one partition."
    )


@pytest.mark.control("asking-is-creating", changes="no metadata is asked for by the topic's name")
@pytest.mark.cluster(settings={"auto.create.topics.enable": "true"})
def test_describing_a_topic_creates_nothing(
    private_broker: Broker,  # noqa: ARG001 - it lets clients create topics
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    evidence: Evidence,
) -> None:
    """`describe_topics()` and the list of all topics show what is there, and create nothing."""
    described, listed, written = topic.name(), topic.name(), topic.name()

    found = topic_id(admin, described)
    is_listed = listed in admin.list_topics(timeout=20).topics
    # What was asked for before would be there when this record is.
    send(producer(), written, [b"x"])

    asked = {described: "describe_topics()", listed: "list_topics()", written: "produce()"}
    known = {name: partitions_with_leader(admin, name) for name in asked}
    evidence.table(
        "Topics that were not there, afterwards",
        [{"asked for by": call, "exists": known[name] > 0} for name, call in asked.items()],
    )
    assert found is None, "The topic is described as unknown."
    assert not is_listed, "The other topic is not in the list."
    assert known == {described: 0, listed: 0, written: 1}, "Only the producer's topic is there."
