"""Task 1.1: what is gone when a topic or records are deleted?"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from kafkalab.brokers import Broker
from kafkalab.fixtures import ConsumerMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.groups import commit_offset, committed_offset
from kafkalab.observe.records import DeliveryReport, read, send, watermarks
from kafkalab.observe.topics import create_topic, partitions_with_leader, topic_id
from kafkalab.waiting import wait_until

# What deleting does


@pytest.mark.fact("deleting-forgets-offsets", scope="any client")
def test_deleting_a_topic_forgets_offsets(
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """If you delete a topic, the offsets that groups committed for it are gone.

    If a topic of the same name is created later, a group reads it as a new one.
    """
    name, later, observer = topic(), topic(), consumer()
    for each in (name, later):
        commit_offset(admin, group, each, 7)
    before = committed_offset(observer, name)

    for each in (name, later):
        admin.delete_topics([each])[each].result(20)

    # The coordinator drops them one after another, and of this topic first.
    wait_until(
        lambda: committed_offset(observer, later),
        lambda offset: offset is None,
        limit=20,
        what="the offset of the topic that was deleted later to be dropped",
    )
    after = committed_offset(observer, name)
    evidence.table("Committed offset", [{"before deleting": before, "after": after}])
    assert before == 7, "Before the deletion the group has its commit."
    assert after is None, "After the deletion the group has no commit."


@pytest.mark.control("deleting-forgets-offsets", changes="a sibling topic is deleted")
def test_a_sibling_topics_offsets_stay(
    admin: AdminClient,
    topic: TopicMaker,
    group: str,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """If you delete a topic, the group's offsets for another topic stay."""
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
    assert kept == 7, "The commit for the other topic is as it was."


def create_again(broker: Broker, admin: AdminClient, topic: str) -> None:
    """Create a topic of this name once the deleted one is gone everywhere."""
    wait_until(
        lambda: partitions_with_leader(admin, topic),
        lambda known: known == 0,
        limit=20,
        what="the deleted topic to be gone",
    )
    create_topic(broker, admin, topic, 1, 1, {})


def life_of(
    admin: AdminClient, topic: str, deliveries: Sequence[DeliveryReport]
) -> dict[str, object]:
    """A topic's id, and what was written to it, as a row of evidence."""
    return {
        "topic id": topic_id(admin, topic),
        "values": [each.value for each in deliveries],
        "offsets": [each.offset for each in deliveries],
    }


@pytest.mark.fact("recreated-is-another", scope="any client")
def test_a_recreated_topic_is_another_one(
    broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """If a topic is deleted and created again, it is another one: another id, offsets from 0.

    An offset that somebody kept of the old topic now means another record, or
    none: a name alone does not say which topic it was.
    """
    name = topic()
    before = life_of(admin, name, send(producer(), name, [b"a", b"b", b"c"]))

    admin.delete_topics([name])[name].result(20)
    create_again(broker, admin, name)

    after = life_of(admin, name, send(producer(), name, [b"d", b"e"]))
    values = [each.value() for each in read(consumer(), name)]
    evidence.table(
        "Two topics of one name",
        [{"the topic": "before", **before}, {"the topic": "created again", **after}],
        look="The name is the same, and the id is not. Offset 0 has been given twice.",
    )
    assert after["topic id"] != before["topic id"], "The topic has another id."
    assert after["offsets"] == [0, 1], "Its records count from 0."
    assert values == [b"d", b"e"], "Nothing of the deleted topic is in it."


@pytest.mark.control("recreated-is-another", changes="the topic is left alone")
def test_a_topic_that_stays_counts_on(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """A topic that nobody deletes keeps its id, and its offsets count on."""
    name = topic()
    before = life_of(admin, name, send(producer(), name, [b"a", b"b", b"c"]))

    after = life_of(admin, name, send(producer(), name, [b"d", b"e"]))

    values = [each.value() for each in read(consumer(), name)]
    evidence.table(
        "A topic before and after",
        [{"the topic": "before", **before}, {"the topic": "after", **after}],
    )
    assert after["topic id"] == before["topic id"], "The topic has the same id."
    assert after["offsets"] == [3, 4], "The new records count on."
    assert values == [b"a", b"b", b"c", b"d", b"e"], "All records are in it."


@pytest.mark.fact("delete-records-moves-the-start", scope="any client")
def test_deleting_records_moves_the_start(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """If you delete records, the partition's start moves; its end and the other offsets stay.

    You cannot delete a single record, only all before an offset.
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
    assert (before, after) == ((0, 10), (4, 10)), (
        "The start of the partition has moved, and its end has not."
    )
    assert first == 4, "The records that are left keep their offsets."
    assert following.offset == 10, "The next record gets the next offset."


@pytest.mark.control("delete-records-moves-the-start", changes="another partition is looked at")
def test_another_partition_keeps_its_start(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    evidence: Evidence,
) -> None:
    """If you delete records of one partition, the topic's other partition keeps all of its own."""
    name, writer, reader = topic(partitions=2), producer(), consumer()
    for partition in (0, 1):
        send(writer, name, [b"x"] * 10, partition=partition)

    place = TopicPartition(name, 0, 4)
    next(iter(admin.delete_records([place]).values())).result(20)

    ends = {partition: watermarks(reader, name, partition) for partition in (0, 1)}
    evidence.table("Start and end offset", [{"partition": p, "log": ends[p]} for p in ends])
    assert ends == {0: (4, 10), 1: (0, 10)}, "Only partition 0 has lost its beginning."
