"""Task 1.1: what is a topic made of, and what may change?

Facts about Kafka come first: they use plain clients and hold whatever you
write. Facts about the component follow: they judge `provision` and `describe`,
kafkalab's own or, with `--kafkalab-solutions`, yours.
"""

from __future__ import annotations

import random
from binascii import crc32
from dataclasses import replace
from datetime import UTC, datetime

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
from kafkalab.contracts.topics import TopicDefinition
from kafkalab.demo import DEMO_TOPICS
from kafkalab.fixtures import ConsumerMaker, JavaStarter, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.groups import commit_offset, committed_offset
from kafkalab.observe.records import (
    BY_KEY,
    DeliveryReport,
    Record,
    error_of,
    read,
    send,
    watermarks,
)
from kafkalab.observe.topics import (
    describe_topic,
    grow,
    look_everywhere,
    onlookers,
    partitions_with_leader,
    refusal,
    settings_of,
    topic_id,
)
from kafkalab.solutions import Solutions
from kafkalab.waiting import wait_until

# Retention and compaction run on a timer, every 0.1 to 0.2 s in the lab; under
# heavy load a round was seen to take some seconds.
CLEANING_LIMIT = 30.0

DAY_MS = 24 * 3600 * 1000
# 2024-01-01: fixed times make records as old as a lesson needs them.
LONG_AGO_MS = 1_704_067_200_000
# A record more than segment.ms (7 days) younger than the segment's first rolls the
# segment. So a closed segment needs no waiting, only a timestamp.
NEXT_SEGMENT_MS = 8 * DAY_MS


# What a topic is made of


@pytest.mark.fact("topic-has-its-partitions", scope="any client")
def test_a_topic_has_its_partitions(
    admin: AdminClient, topic: TopicMaker, evidence: Evidence
) -> None:
    """A created topic has the partitions and replicas that were asked for, each with a leader.

    The number of partitions bounds how many consumers of a group can share the
    work; the number of replicas bounds how many brokers may be lost.
    """
    name = topic.name()

    admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])[name].result(20)

    # The result says that the controller has decided; the brokers learn of it a moment later.
    wait_until(
        lambda: partitions_with_leader(admin, name),
        limit=20,
        what="the broker to know the new topic",
    )
    partitions = describe_topic(admin, name).partitions
    evidence.table(
        "The topic as the broker describes it",
        [
            {
                "partition": each.id,
                "leader is broker": each.leader.id,
                "replicas are on brokers": [node.id for node in each.replicas],
            }
            for each in partitions
        ],
    )
    assert [each.id for each in partitions] == [0, 1, 2], "three partitions, counted from 0"
    assert all(len(each.replicas) == 1 for each in partitions), "one replica each was asked for"


@pytest.mark.control("topic-has-its-partitions", changes="nothing was created")
def test_an_uncreated_topic_is_unknown(
    admin: AdminClient, topic: TopicMaker, evidence: Evidence
) -> None:
    """A topic that nobody created has no partitions: the broker does not know it."""
    name = topic.name()

    with pytest.raises(KafkaException) as refused:
        describe_topic(admin, name)

    evidence.note("The broker's answer: {}", refused.value.args[0])
    assert refused.value.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART


@pytest.mark.fact("partition-is-an-append-only-log", scope="any client")
def test_a_partition_is_an_append_only_log(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Records in a partition keep their offsets and bytes; new ones only follow.

    Nothing can be inserted, changed or reordered. That is why a consumer needs
    to remember a single number for a partition.
    """
    name, writer, reader = topic(), producer(), consumer()
    send(writer, name, [b"a", b"b", b"c"])
    before = [(each.offset(), each.value()) for each in read(reader, name)]

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
    assert after[: len(before)] == before, "the old log is the beginning of the new one"
    assert after[len(before) :] == [(3, b"d"), (4, b"e")], "the new records follow"


@pytest.mark.control("partition-is-an-append-only-log", changes="the topic is compacted")
@pytest.mark.needs("quick_compaction")
def test_a_compacted_log_loses_records(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Compaction takes records out of the middle, but never renumbers those that stay."""
    name, writer, reader = topic(settings=COMPACT_SOON), producer(), consumer()
    records = [
        Record(b"old", key=b"k", timestamp_ms=LONG_AGO_MS),
        Record(b"new", key=b"k", timestamp_ms=LONG_AGO_MS),
        Record(b"end", key=b"z", timestamp_ms=LONG_AGO_MS + NEXT_SEGMENT_MS),
    ]

    written = [send(writer, name, [record])[0] for record in records]

    kept = wait_until(
        lambda: [(each.offset(), each.value()) for each in read(reader, name)],
        lambda seen: len(seen) < len(records),
        limit=CLEANING_LIMIT,
        what="compaction to take a record out",
    )
    evidence.table(
        "Written, and still there after compaction",
        [
            {"offset": each.offset, "written": each.value, "kept": dict(kept).get(each.offset or 0)}
            for each in written
        ],
        look="One record is gone, and those that stay have kept their offsets: there is a hole.",
    )
    assert kept == [(1, b"new"), (2, b"end")], "offset 0 is gone, 1 and 2 are still 1 and 2"


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
        delivery_rows([*first, *second]),
        look="Offset 0 is there twice: once in each partition.",
    )
    assert [each.offset for each in first] == [0, 1, 2], "partition 0 counts from 0"
    assert [each.offset for each in second] == [0, 1], "partition 1 counts from 0 as well"


@pytest.mark.control(
    "offsets-count-from-zero-per-partition", changes="the second batch goes to the same partition"
)
def test_in_one_partition_offsets_count_on(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """In the same partition a second batch does not start at 0: it counts on."""
    name, writer = topic(partitions=2), producer()

    first = send(writer, name, [b"a", b"b", b"c"], partition=0)
    second = send(writer, name, [b"d", b"e"], partition=0)

    evidence.table("Delivery reports", delivery_rows([*first, *second]))
    assert [each.offset for each in first] == [0, 1, 2]
    assert [each.offset for each in second] == [3, 4], "offsets count on where they stood"


@pytest.mark.fact("segment-is-a-file", scope="Apache Kafka's local log")
@pytest.mark.needs("log_dirs")
def test_a_partition_is_segment_files(
    broker: Broker, topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """A partition is files on the broker's disk, one set a segment, named by its first offset.

    `.log` holds the records; `.index` and `.timeindex` find a place in it by
    offset and by time. Only the last segment, the active one, is written to.
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
    assert logs == [f"{offset:020}.log" for offset in (0, 1, 2)], "named by the first offset"
    for suffix in (".index", ".timeindex"):
        assert all((folder / log).with_suffix(suffix).exists() for log in logs), suffix


@pytest.mark.control("segment-is-a-file", changes="all records are of the same day")
@pytest.mark.needs("log_dirs")
def test_while_nothing_rolls_there_is_one_segment(
    broker: Broker, topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Without a reason to roll, all records go to the one active segment."""
    name, writer = topic(settings=KEEP_FOR_EVER), producer()

    for _ in range(3):
        send(writer, name, [Record(b"x", timestamp_ms=LONG_AGO_MS)])

    folder = broker.log_dir(broker.node_ids[0]) / f"{name}-0"
    logs = sorted(each.name for each in folder.glob("*.log"))
    evidence.note("Log files: {}", ", ".join(logs))
    assert logs == [f"{0:020}.log"], "three records, one segment"


@pytest.mark.fact("order-only-within-a-partition", scope="any client")
def test_order_holds_within_a_partition_only(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Order holds inside a partition, not across the partitions of a topic.

    A consumer takes partitions in whatever order their data arrives. Here it
    takes partition 1 first, and reads what was written second before the first.
    """
    name, writer, reader = topic(partitions=2), producer(), consumer()
    for number in range(10):
        send(writer, name, [b"%d" % number], partition=number % 2)

    seen = [(each.partition(), int(each.value() or b"")) for each in read(reader, name, 1, 0)]

    evidence.table(
        "In the order of reading",
        [{"partition": p, "value": n} for p, n in seen],
        look="Within each partition the values ascend. Read from top to bottom they do not.",
    )
    values = [value for _, value in seen]
    for partition in (0, 1):
        own = [value for where, value in seen if where == partition]
        assert own == sorted(own), f"partition {partition} is in the order of writing"
    assert values == [1, 3, 5, 7, 9, 0, 2, 4, 6, 8], "the topic as a whole is not"


@pytest.mark.control("order-only-within-a-partition", changes="the topic has one partition")
def test_one_partition_keeps_the_order_of_all(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With one partition the whole topic is read in the order of writing."""
    name, writer, reader = topic(partitions=1), producer(), consumer()
    for number in range(10):
        send(writer, name, [b"%d" % number])

    values = [int(each.value() or b"") for each in read(reader, name)]

    evidence.note("Read: {}", values)
    assert values == list(range(10)), "one partition, one order"


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
    """Creating a topic under a taken name fails, and changes nothing.

    `.` and `_` count as one here, because both become `_` in metric names.
    """
    there = topic(partitions=3, ending=taken)
    name, before = there.removesuffix(taken) + asked, topic_id(admin, there)

    # The second name counts where both are the same.
    evidence.rename({name: "a_shop", there: "a.shop"})
    error = refusal(admin.create_topics([NewTopic(name, 5, 1)])[name])

    evidence.note("{} is there, {} is asked for: {}", there, name, error or "created")
    assert error is not None, "the name is taken, so the broker refuses"
    assert error.code() == code, f"expected a refusal of the name, got {error}"
    assert topic_id(admin, there) == before, "it is still the same topic"
    assert len(describe_topic(admin, there).partitions) == 3, "with as many partitions as before"


@pytest.mark.control("duplicate-create-changes-nothing", changes="the name is new")
def test_creating_under_a_new_name_works(
    admin: AdminClient, topic: TopicMaker, evidence: Evidence
) -> None:
    """Under a new name the same request creates a topic."""
    there, name = topic(partitions=3), topic.name()

    error = refusal(admin.create_topics([NewTopic(name, 5, 1)])[name])

    evidence.note("{} is there, {} is asked for: {}", there, name, error or "created")
    assert error is None, f"a new name is not refused, but the broker said {error}"
    wait_until(
        lambda: partitions_with_leader(admin, name),
        lambda seen: seen == 5,
        limit=20,
        what="the new topic with its five partitions",
    )


@pytest.mark.fact("replication-needs-brokers", scope="any client")
def test_more_replicas_than_brokers_are_refused(
    broker: Broker, admin: AdminClient, topic: TopicMaker, evidence: Evidence
) -> None:
    """A topic cannot have more replicas than there are brokers.

    Two replicas on one broker would be lost together, so Kafka does not pretend.
    """
    name, brokers = topic.name(), len(broker.node_ids)

    error = refusal(admin.create_topics([NewTopic(name, 1, brokers + 1)])[name])

    evidence.note("{} replicas on {} broker(s): {}", brokers + 1, brokers, error or "created")
    assert error is not None, "the broker should refuse"
    assert error.code() == KafkaError.INVALID_REPLICATION_FACTOR


@pytest.mark.control("replication-needs-brokers", changes="as many replicas as brokers")
def test_as_many_replicas_as_brokers_are_fine(
    broker: Broker, admin: AdminClient, topic: TopicMaker, evidence: Evidence
) -> None:
    """With as many replicas as brokers the same request is fine."""
    name, brokers = topic.name(), len(broker.node_ids)

    error = refusal(admin.create_topics([NewTopic(name, 1, brokers)])[name])

    evidence.note("{} replica(s) on {} broker(s): {}", brokers, brokers, error or "created")
    assert error is None


@pytest.mark.fact("partitions-only-grow", scope="any client")
@pytest.mark.parametrize("count", [2, 3], ids=["fewer", "the same number"])
def test_partitions_cannot_become_fewer(
    admin: AdminClient, topic: TopicMaker, evidence: Evidence, count: int
) -> None:
    """A topic's partitions can only become more: fewer, or the same number, is refused.

    Fewer would mean deleting records, or renumbering them in another partition.
    """
    name = topic(partitions=3)

    error = refusal(admin.create_partitions([NewPartitions(name, count)])[name])

    evidence.note("From 3 to {}: {}", count, error or "granted")
    assert error is not None, f"3 to {count} should be refused"
    assert error.code() == KafkaError.INVALID_PARTITIONS
    assert len(describe_topic(admin, name).partitions) == 3, "nothing changed"


@pytest.mark.control("partitions-only-grow", changes="a larger number")
def test_partitions_can_become_more(
    admin: AdminClient, topic: TopicMaker, evidence: Evidence
) -> None:
    """A larger number is granted."""
    name = topic(partitions=3)

    grow(admin, name, 5)

    found = len(describe_topic(admin, name).partitions)
    evidence.note("From 3 to 5: granted, and the broker describes {} partitions", found)
    assert found == 5


@pytest.mark.fact(
    "growing-moves-keys", scope="librdkafka's default partitioner; Java's moves other keys"
)
def test_growing_moves_the_keys_whose_hash_says_so(
    admin: AdminClient, topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Growing a topic moves exactly the keys whose hash differs modulo the old and new count.

    Records already written stay where they are, so a moved key's history is
    then in two partitions, and its order is lost. A producer that was running
    keeps the old count for a while; the keys are sent by a new one here.
    """
    name, keys = topic(partitions=3), [b"user-%d" % number for number in range(60)]
    before = partition_by_key(producer(), name, keys)

    grow(admin, name, 5)
    after = partition_by_key(producer(), name, keys)

    moved = {key for key in keys if before[key] != after[key]}
    computed = {key for key in keys if crc32(key) % 3 != crc32(key) % 5}
    evidence.number("keys that moved", len(moved), f"of {len(keys)}")
    evidence.table(
        "The first ten keys: hash, its remainders, and where the broker's reports name them",
        hash_rows(keys[:10], before, after),
        look="A key stays where both remainders are the same, and moves where they differ.",
    )
    assert moved, "some keys move"
    assert moved == computed, "exactly those with different residues move"


@pytest.mark.control("growing-moves-keys", changes="only keys with equal residues are used")
def test_keys_with_equal_residues_stay(
    admin: AdminClient, topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Keys whose hash has the same residue modulo both counts do not move."""
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
    assert keys, "there are such keys"
    assert after == before, "none of them moved"


@pytest.mark.fact("override-or-default", scope="any client")
def test_altering_one_setting_keeps_the_others(
    admin: AdminClient, topic: TopicMaker, evidence: Evidence
) -> None:
    """A setting knows whether it is the topic's own or a default; altering one keeps the others.

    Only what is the topic's own survives a change of the broker's defaults.
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
    assert sources["retention.ms"] == "DYNAMIC_TOPIC_CONFIG", "the topic's own, as created"
    assert sources["max.message.bytes"] == "DYNAMIC_TOPIC_CONFIG", "its own since it was altered"
    assert sources["cleanup.policy"] == "DEFAULT_CONFIG", "never set, so it is the default"


@pytest.mark.control("override-or-default", changes="the older request that replaces all settings")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_older_request_resets_the_others(
    admin: AdminClient, topic: TopicMaker, evidence: Evidence
) -> None:
    """The older AlterConfigs request sets one setting and resets all others to their defaults."""
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
    assert source == "DEFAULT_CONFIG", "retention.ms was the topic's own, and is no longer"


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
    """Where the broker lets clients create topics, a producer does; librdkafka's consumer does not.

    A mistyped name in a producer then makes a topic that nobody reads. Java's
    consumer does create by default.
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
    assert delivered[0].error is None, "the record went to a topic that the producer created"
    assert told is not None
    assert told.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert known == {written: 1, read_only: 0}, "only the producer created its topic"


@pytest.mark.control("who-auto-creates", changes="the broker does not let clients create topics")
@pytest.mark.needs("no_auto_create")
def test_where_the_broker_says_no_nobody_creates(
    admin: AdminClient, topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Where the broker says no, a producer creates nothing: its record fails."""
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
    assert delivery.error is not None, "the record cannot be delivered"
    assert delivery.error.code() in (KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART)
    assert found == 0, "no topic came of it"


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
    """Where the broker lets clients create topics, Java's consumer does by default.

    librdkafka's does not: `allow.auto.create.topics` is true for one and false
    for the other.
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
    assert told is not None
    assert told.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert left_out == 0, "librdkafka's consumer created nothing"
    assert created == 1, "Java's consumer did"


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
    """Where the broker says no, Java's consumer is a member that has nothing to read."""
    name = topic.name()
    java = java_client("kafka-verifiable-consumer", "--topic", name, "--group-id", group)

    (assigned, *_) = java.wait_for("partitions_assigned")

    created = partitions_with_leader(admin, name)
    evidence.table(
        "The topic that Java's consumer has subscribed to, and that was not there",
        [{"exists": created > 0, "partitions of the member": len(assigned["partitions"])}],
    )
    assert created == 0, "no topic came of it"
    assert assigned["partitions"] == []


# What deleting does


@pytest.mark.fact("deleting-forgets-offsets", scope="any client")
def test_deleting_a_topic_forgets_offsets(
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """Deleting a topic drops the offsets that groups have committed for it.

    A topic of the same name that is created later is read as new.
    """
    name, observer = topic(), consumer()
    commit_offset(admin, group, name, 7)
    before = committed_offset(observer, name)

    admin.delete_topics([name])[name].result(20)

    after = wait_until(
        lambda: committed_offset(observer, name),
        lambda offset: offset is None,
        limit=20,
        what="the group's offset to be dropped",
    )
    evidence.table("Committed offset", [{"before deleting": before, "after": after}])
    assert before == 7
    assert after is None, "no commit is left"


@pytest.mark.control("deleting-forgets-offsets", changes="a sibling topic is deleted")
def test_a_sibling_topics_offsets_stay(
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """The same group's offsets for another topic stay."""
    deleted, sibling, observer = topic(), topic(), consumer()
    for name in (deleted, sibling):
        commit_offset(admin, group, name, 7)

    admin.delete_topics([deleted])[deleted].result(20)
    wait_until(
        lambda: committed_offset(observer, deleted),
        lambda offset: offset is None,
        limit=20,
        what="the deleted topic's offset to be dropped",
    )

    kept = committed_offset(observer, sibling)
    evidence.note("The sibling's committed offset: {}", kept)
    assert kept == 7, "the sibling's offset is as committed"


@pytest.mark.fact("delete-records-moves-the-start", scope="any client")
def test_deleting_records_moves_the_start(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """Deleting records moves a partition's start; its end and its numbering stay.

    There is no way to delete a single record, only all before an offset.
    """
    name, writer, reader = topic(), producer(), consumer()
    send(writer, name, [b"x"] * 10)
    before = watermarks(reader, name)

    place = TopicPartition(name, 0, 4)
    next(iter(admin.delete_records([place]).values())).result(20)

    after, first = watermarks(reader, name), read(reader, name)[0].offset()
    (following,) = send(writer, name, [b"y"])
    evidence.table(
        "Start and end offset",
        [{"before": before, "after deleting below 4": after}],
        look="Only the start moves; the end, and the offsets of what is left, stay.",
    )
    assert (before, after) == ((0, 10), (4, 10)), "the start moved, the end did not"
    assert first == 4, "what is left keeps its offsets"
    assert following.offset == 10, "and the next record counts on"


@pytest.mark.control("delete-records-moves-the-start", changes="another partition is looked at")
def test_another_partition_keeps_its_start(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """Another partition of the same topic keeps all its records."""
    name, writer, reader = topic(partitions=2), producer(), consumer()
    for partition in (0, 1):
        send(writer, name, [b"x"] * 10, partition=partition)

    place = TopicPartition(name, 0, 4)
    next(iter(admin.delete_records([place]).values())).result(20)

    ends = {partition: watermarks(reader, name, partition) for partition in (0, 1)}
    evidence.table("Start and end offset", [{"partition": p, "log": ends[p]} for p in ends])
    assert ends == {0: (4, 10), 1: (0, 10)}, "only partition 0 lost its beginning"


# What the broker does to records


@pytest.mark.fact("whose-timestamp", scope="message.timestamp.type=LogAppendTime")
def test_log_append_time_replaces_the_timestamp(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With LogAppendTime the broker's clock replaces the timestamp that the producer gave."""
    name = topic(settings={"message.timestamp.type": "LogAppendTime", **KEEP_FOR_EVER})

    send(producer(), name, [Record(b"x", timestamp_ms=LONG_AGO_MS)])

    _, seen = read(consumer(), name)[0].timestamp()
    evidence.table("Timestamp", timestamp_rows(given=LONG_AGO_MS, read=seen))
    assert seen - LONG_AGO_MS > DAY_MS, "the record carries the time at which it was appended"


@pytest.mark.control("whose-timestamp", changes="message.timestamp.type=CreateTime, the default")
def test_create_time_keeps_the_timestamp(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """With CreateTime the record keeps what the producer gave."""
    name = topic(settings={"message.timestamp.type": "CreateTime", **KEEP_FOR_EVER})

    send(producer(), name, [Record(b"x", timestamp_ms=LONG_AGO_MS)])

    _, seen = read(consumer(), name)[0].timestamp()
    evidence.table("Timestamp", timestamp_rows(given=LONG_AGO_MS, read=seen))
    assert seen == LONG_AGO_MS


@pytest.mark.fact("size-limit-is-the-compressed-batch", scope="any client that compresses")
def test_incompressible_records_meet_the_size_limit(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """`max.message.bytes` limits the compressed batch: 20 kB of noise exceed 10 kB.

    The broker never sees single records: it gets batches, as the producer
    compressed them.
    """
    name = topic(settings={"max.message.bytes": "10000"})
    noise = random.Random(1).randbytes(20_000)

    (delivery,) = send(producer({"compression.type": "gzip"}), name, [noise])

    evidence.note("20 kB of noise, gzip: {}", delivery.error or "accepted")
    assert delivery.error is not None, "noise does not become smaller by compression"
    assert delivery.error.code() == KafkaError.MSG_SIZE_TOO_LARGE


@pytest.mark.control("size-limit-is-the-compressed-batch", changes="the value is compressible")
def test_compressible_records_pass_the_size_limit(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """20 kB of one letter pass the same limit."""
    name = topic(settings={"max.message.bytes": "10000"})

    (delivery,) = send(producer({"compression.type": "gzip"}), name, [b"a" * 20_000])

    evidence.note("20 kB of one letter, gzip: {}", delivery.error or "accepted")
    assert delivery.error is None, "compressed, it is far below the limit"


@pytest.mark.fact("one-bad-record-fails-its-batch", scope="any client that batches")
def test_one_bad_record_fails_its_batch(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """One record that the broker refuses fails its whole batch.

    A compacted topic takes no record without a key; its neighbours in the
    batch were fine.
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
        delivery_rows(deliveries),
        look="One record is bad, and all that were in its batch have the error.",
    )
    assert [each.error is not None for each in deliveries] == [True, True, True], "all fail"


@pytest.mark.control("one-bad-record-fails-its-batch", changes="each record is a batch of its own")
def test_in_batches_of_one_only_the_bad_record_fails(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """In batches of one only the record without a key fails."""
    name, writer = topic(settings={"cleanup.policy": "compact"}), producer()
    records = [Record(b"1", key=b"a"), Record(b"2"), Record(b"3", key=b"c")]

    deliveries = [send(writer, name, [record])[0] for record in records]

    evidence.table(
        "Delivery reports",
        delivery_rows(deliveries),
        look="Only the record without a key has an error; the others have offsets.",
    )
    assert [each.error is not None for each in deliveries] == [False, True, False]


# How a log is cleaned


@pytest.mark.fact("compaction-keeps-the-newest", scope="cleanup.policy=compact, closed segments")
@pytest.mark.needs("quick_compaction")
def test_compaction_keeps_the_newest_of_each_key(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Compaction keeps the newest record of each key, and a tombstone deletes its key.

    Offsets then have gaps. The active segment is exempt: `z` is written twice
    and there twice. A tombstone goes too, later, at another cleaning.
    """
    name, writer, reader = topic(settings=COMPACT_SOON), producer(), consumer()

    written = [send(writer, name, [record])[0] for record in CHANGES_OF_A_TABLE]

    kept = wait_until(
        lambda: [(each.offset(), each.key(), each.value()) for each in read(reader, name)],
        lambda seen: seen[0][0] != 0,
        limit=CLEANING_LIMIT,
        what="compaction to take out offset 0",
    )
    evidence.table(
        "Written and kept",
        kept_rows(written, [offset for offset, _, _ in kept]),
        look="The old records of a and b are gone; that of b without a value stays, to say that "
        "b was deleted. The two of z are in the active segment, which is left alone.",
    )
    assert (2, b"a", b"new") in kept, "the newest of a"
    assert [value for _, key, value in kept if key == b"a"] == [b"new"], "and only that"
    assert [value for _, key, value in kept if key == b"b" and value] == [], "b was deleted"
    assert [offset for offset, key, _ in kept if key == b"z"] == [4, 5], "the active segment"


@pytest.mark.control("compaction-keeps-the-newest", changes="cleanup.policy=delete")
@pytest.mark.needs("quick_compaction")
def test_without_compaction_all_records_stay(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """A twin with `cleanup.policy=delete` still has every record when the other was compacted."""
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
    assert kept == [0, 1, 2, 3, 4, 5], "nothing is gone from the plain topic"


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
    """Retention drops expired segments, the active one too, and closed ones beyond the size.

    By time all five segments are expired, and gone, though one was active. The
    size is a floor: of five segments of 1,070 bytes, 2,500 bytes keep three.
    Either way offsets continue where they stood.
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
    assert ends == (start, 5), "the start moved, the end did not"
    assert following.offset == 5, "the next record counts on"


@pytest.mark.control("retention-by-time-and-size", changes="retention.ms=-1 and no retention.bytes")
@pytest.mark.needs("quick_retention")
def test_without_limits_nothing_is_dropped(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Without limits the same old records stay, while a twin with limits loses its own."""
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

    ends = watermarks(reader, forever)
    evidence.table(
        "Start and end offset after retention",
        [
            {"settings": settings, "start": start, "end": end}
            for settings, (start, end) in ((KEEP_FOR_EVER, ends), ("the defaults", (5, 5)))
        ],
    )
    assert ends == (0, 5), "all five records are there"


# The component: provision and describe


@pytest.mark.fact("provision-creates-what-is-missing", scope="the component topics")
def test_provision_creates_what_is_missing(
    broker: Broker, admin: AdminClient, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """Provisioning creates the topics that are missing, as defined, and says so."""
    prefix = topic.name()
    demo = [replace(each, name=f"{prefix}-{each.name}") for each in DEMO_TOPICS]

    results = solutions.topics.provision(broker.client_properties(), demo)

    evidence.table(
        "What provisioning reported",
        [{"topic": each.name, "action": each.action} for each in results],
    )
    assert [each.name for each in results] == [each.name for each in demo], "one result for each"
    assert {each.action for each in results} == {"created"}, "each is reported as created"
    for each in demo:
        wait_for_partitions(admin, each.name, each.partitions)
        assert own_settings(admin, each.name) == each.settings, f"{each.name}: settings as defined"


@pytest.mark.fact("provision-again-changes-nothing", scope="the component topics")
def test_provision_again_changes_nothing(
    broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """Provisioning a second time changes nothing: not the topic, its settings or its records."""
    wanted = TopicDefinition(topic.name(), partitions=2, settings={"retention.ms": "-1"})
    solutions.topics.provision(broker.client_properties(), [wanted])
    wait_for_partitions(admin, wanted.name, 2)
    send(producer(), wanted.name, [b"kept"])
    before = topic_id(admin, wanted.name)

    (result,) = solutions.topics.provision(broker.client_properties(), [wanted])

    after = topic_id(admin, wanted.name)
    evidence.table("Topic id", [{"before": before, "after": after}])
    assert after == before, "the same topic, not a new one of that name"
    records = read(consumer(), wanted.name)
    assert [each.value() for each in records] == [b"kept"], "its record is still there"
    assert result.action == "unchanged", f"reported as unchanged, not as {result.action}"
    assert partitions_with_leader(admin, wanted.name) == 2
    assert own_settings(admin, wanted.name) == wanted.settings


@pytest.mark.fact("provision-reports-drift", scope="the component topics")
def test_provision_reports_drift_and_destroys_nothing(
    broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """Where a topic is not as defined, provisioning reports each difference and destroys nothing.

    To delete and create again would be the quick way to the defined state, and
    the end of the data.
    """
    name = topic(partitions=3, settings={"retention.ms": "3600000", "max.message.bytes": "5000"})
    send(producer(), name, [b"kept"])
    before = topic_id(admin, name)
    wanted = TopicDefinition(name, 2, settings={"retention.ms": "-1", "segment.ms": "100000"})

    (result,) = solutions.topics.provision(broker.client_properties(), [wanted])

    drifts = {each.what: (each.defined, each.found) for each in result.drifts}
    evidence.table(
        "Reported drift",
        [{"what": what, "defined": d, "found": f} for what, (d, f) in drifts.items()],
    )
    assert topic_id(admin, name) == before, "the topic was not recreated"
    assert [each.value() for each in read(consumer(), name)] == [b"kept"], "its record is there"
    assert result.action == "drifted"
    assert drifts == {
        "partitions": ("2", "3"),
        "retention.ms": ("-1", "3600000"),
        "segment.ms": ("100000", None),
        "max.message.bytes": (None, "5000"),
    }, "each difference, by name"


@pytest.mark.fact("provision-grows-only-when-asked", scope="the component topics")
def test_provision_grows_only_when_asked(
    broker: Broker, admin: AdminClient, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """Provisioning adds partitions only when it is asked to, and never takes any away."""
    small, large = topic(partitions=2), topic(partitions=4)
    wanted = [TopicDefinition(small, partitions=3), TopicDefinition(large, partitions=3)]

    def provisioned(*, grow: bool) -> dict[str, tuple[str, int]]:
        results = solutions.topics.provision(broker.client_properties(), wanted, grow=grow)
        return {
            each.name: (each.action, partitions_with_leader(admin, each.name)) for each in results
        }

    unasked, asked = provisioned(grow=False), provisioned(grow=True)

    evidence.table(
        "Action and partitions",
        [
            {"defined": 3, "found": n, "unasked": unasked[t], "asked": asked[t]}
            for t, n in ((small, 2), (large, 4))
        ],
        look="Unasked nothing grows: the difference is reported. Asked, the small one grows,"
        " and the large one does not shrink.",
    )
    assert unasked == {small: ("drifted", 2), large: ("drifted", 4)}, "unasked, nothing changes"
    assert asked == {small: ("grown", 3), large: ("drifted", 4)}, "asked, the small one grows"


@pytest.mark.fact("provision-returns-when-all-know", scope="the component topics, two brokers")
@pytest.mark.cluster(brokers=2)
def test_provision_returns_when_every_broker_knows(
    private_broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """When provisioning returns, every broker knows every partition and its leader.

    The controller decides first, and a broker learns when it has done what it
    was told before: here both are busy with another topic's many partitions. A
    client that asks too early is told that there is no such topic.
    """
    clients, wanted = onlookers(private_broker), TopicDefinition(topic.name(), 6, 2)
    other = topic.name()
    admin.create_topics([NewTopic(other, MANY, 2)])[other].result(20)

    (result,) = solutions.topics.provision(private_broker.client_properties(), [wanted])
    looks = look_everywhere(private_broker, clients, wanted.name)

    evidence.table(
        "What each broker knew at the return",
        [{"broker": each.address, "partitions with a leader": each.partitions} for each in looks],
    )
    assert result.action == "created"
    assert {each.address for each in looks} == set(private_broker.bootstrap.split(","))
    assert {each.partitions for each in looks} == {6}, "each knew all partitions at once"


@pytest.mark.fact("provision-names-what-failed", scope="the component topics")
def test_provision_names_what_failed(
    broker: Broker, admin: AdminClient, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """A topic that cannot be created is reported by name with its error; the others are created."""
    good, bad_name, too_many = topic.name(), f"{topic.name()} is no legal name!", topic.name()
    wanted = [
        TopicDefinition(bad_name),
        TopicDefinition(too_many, replicas=len(broker.node_ids) + 1),
        TopicDefinition(good),
    ]

    results = solutions.topics.provision(broker.client_properties(), wanted)

    seen = {each.name: each for each in results}
    evidence.table(
        "What provisioning reported",
        [{"topic": e.name, "action": e.action, "error": e.error} for e in results],
    )
    assert seen[bad_name].action == "failed", f"{bad_name!r} cannot be created"
    assert seen[too_many].action == "failed", "nor can a topic with too many replicas"
    assert "TOPIC_EXCEPTION" in seen[bad_name].error, "the broker's error is passed on"
    assert "INVALID_REPLICATION_FACTOR" in seen[too_many].error, "the broker's error is passed on"
    assert seen[good].action == "created", "the others do not suffer for it"
    assert partitions_with_leader(admin, good) == 1, "and are there"


@pytest.mark.fact("provision-leaves-others-alone", scope="the component topics")
def test_provision_leaves_other_topics_alone(
    broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """Topics that are not in the definition are not touched."""
    bystander = topic(partitions=2, settings={"retention.ms": "-1"})
    send(producer(), bystander, [b"kept"])
    before = topic_id(admin, bystander)

    wanted = TopicDefinition(topic.name())

    solutions.topics.provision(broker.client_properties(), [wanted])

    wait_for_partitions(admin, wanted.name, 1)
    after = topic_id(admin, bystander)
    evidence.table("Topic id", [{"before": before, "after": after}])
    assert after == before, "the topic that nobody named is the same"
    assert own_settings(admin, bystander) == {"retention.ms": "-1"}
    assert [each.value() for each in read(consumer(), bystander)] == [b"kept"]


@pytest.mark.fact("describe-tells-what-is-there", scope="the component topics")
def test_describe_tells_what_is_there(
    broker: Broker, admin: AdminClient, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """Describing names partitions, leaders, replicas and own settings as the broker has them.

    An unknown topic is told as unknown, and does not come to be by looking.
    """
    known, unknown = topic(partitions=3, settings={"retention.ms": "-1"}), topic.name()

    described, absent = solutions.topics.describe(broker.client_properties(), [known, unknown])

    there = describe_topic(admin, known).partitions
    evidence.table(
        "As described",
        [{"id": p.id, "leader": p.leader, "replicas": p.replicas} for p in described.partitions],
    )
    assert described.exists
    assert [(p.id, p.leader, list(p.replicas)) for p in described.partitions] == [
        (each.id, each.leader.id, [node.id for node in each.replicas]) for each in there
    ], "partitions, leaders and replicas as the broker has them"
    assert described.settings == {"retention.ms": "-1"}, "the topic's own settings, no defaults"
    assert not absent.exists, "an unknown topic is told as unknown"
    assert partitions_with_leader(admin, unknown) == 0, "and was not created by looking"


# What the tests above share

# Partitions whose logs keep two brokers busy for 0.3 s; until then they hear of no other topic.
MANY = 200

# Records of long ago are beyond the default retention of a week.
KEEP_FOR_EVER = {"retention.ms": "-1"}

COMPACT_SOON = {
    "cleanup.policy": "compact",
    # Clean as soon as anything can be cleaned; by default half the log must be dirty.
    "min.cleanable.dirty.ratio": "0.01",
}

CHANGES_OF_A_TABLE = [
    Record(b"old", key=b"a", timestamp_ms=LONG_AGO_MS),
    Record(b"old", key=b"b", timestamp_ms=LONG_AGO_MS),
    Record(b"new", key=b"a", timestamp_ms=LONG_AGO_MS),
    Record(None, key=b"b", timestamp_ms=LONG_AGO_MS),
    Record(b"1", key=b"z", timestamp_ms=LONG_AGO_MS + NEXT_SEGMENT_MS),
    Record(b"2", key=b"z", timestamp_ms=LONG_AGO_MS + NEXT_SEGMENT_MS),
]

FIVE_SEGMENTS = [
    Record(b"x" * 1000, timestamp_ms=LONG_AGO_MS + number * NEXT_SEGMENT_MS) for number in range(5)
]

SHOWN_SETTINGS = ("retention.ms", "max.message.bytes", "cleanup.policy")


def wait_for_partitions(admin: AdminClient, topic: str, partitions: int) -> None:
    """Wait for a topic that must have been created: who returns too early fails elsewhere."""
    wait_until(
        lambda: partitions_with_leader(admin, topic),
        lambda seen: seen == partitions,
        limit=10,
        what=f"{topic} to be there with {partitions} partitions",
    )


def delivery_rows(deliveries: list[DeliveryReport]) -> list[dict[str, object]]:
    """Delivery reports as rows of evidence."""
    return [
        {
            "key": each.key,
            "value": each.value,
            "partition": each.partition,
            "offset": each.offset,
            "error": each.error.name() if each.error else None,
        }
        for each in deliveries
    ]


def kept_rows(written: list[DeliveryReport], kept: list[int | None]) -> list[dict[str, object]]:
    """Written records and whether each is still there, as rows of evidence."""
    return [
        {"offset": w.offset, "key": w.key, "value": w.value, "kept": w.offset in kept}
        for w in written
    ]


def timestamp_rows(**milliseconds: int) -> list[dict[str, object]]:
    """Timestamps with their dates, as rows of evidence."""
    return [
        {
            "timestamp": name,
            "milliseconds": each,
            "date": datetime.fromtimestamp(each / 1000, UTC).date().isoformat(),
        }
        for name, each in milliseconds.items()
    ]


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


def own_settings(admin: AdminClient, topic: str) -> dict[str, str]:
    """The settings that are the topic's own."""
    return {
        name: entry.value or ""
        for name, entry in settings_of(admin, topic).items()
        if ConfigSource(entry.source) is ConfigSource.DYNAMIC_TOPIC_CONFIG
    }
