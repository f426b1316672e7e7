"""Consumer groups, seen and set by an observer that is not a member."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kafkalab.observe.topics import ADMIN_LIMIT
from kafkalab.observe.waiting import wait_until

if TYPE_CHECKING:
    from confluent_kafka import Consumer
    from confluent_kafka.admin import AdminClient

# Joining takes 0.1 s, on a broker's first group a second, several on a loaded machine.
JOIN_LIMIT = 30.0

# More records than a test of ours ever left waiting.
MOST_WAITING = 100_000


def commit_offset(
    admin: AdminClient, group: str, topic: str, offset: int, partition: int = 0
) -> None:
    """Set a group's committed offset; the group must have no member.

    Raises:
        KafkaException: the broker refused it.
    """
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

    place = TopicPartition(topic, partition, offset)
    request = [ConsumerGroupTopicPartitions(group, [place])]
    admin.alter_consumer_group_offsets(request)[group].result(ADMIN_LIMIT)


def committed_offset(observer: Consumer, topic: str, partition: int = 0) -> int | None:
    """The committed offset of a consumer's group; None where there is no commit.

    The observer is a consumer that is not subscribed, and so no member. An admin
    client is not asked: librdkafka's crashes when the broker answers that it is
    not the coordinator just now (librdkafka #5040).
    """
    from confluent_kafka import TopicPartition

    (committed,) = observer.committed([TopicPartition(topic, partition)], timeout=ADMIN_LIMIT)
    return int(committed.offset) if committed.offset >= 0 else None


def join(consumers: Sequence[Consumer], topic: str, partitions: int) -> None:
    """Subscribe consumers and poll them until each has partitions, and together they have all.

    Records must not be there yet: the poll that assigns could return one.

    Raises:
        Expired: it did not come to that within JOIN_LIMIT.
    """
    for consumer in consumers:
        consumer.subscribe([topic])

    def poll_each() -> list[int]:
        for consumer in consumers:
            consumer.poll(0.02)
        return [len(consumer.assignment()) for consumer in consumers]

    wait_until(
        poll_each,
        lambda counts: all(counts) and sum(counts) == partitions,
        limit=JOIN_LIMIT,
        what=f"{len(consumers)} members to share {partitions} partitions of {topic}",
        interval=0,
    )


def leave(consumer: Consumer) -> None:
    """Close a consumer, after it was told what has happened to it; closed already is fine.

    Told of an assignment only while it closes, a consumer can hang for ever: it
    asks for the group's protocol when the group may be gone already (librdkafka
    #4041; seen once in fifty runs of the tests of task 1.3).
    """
    try:
        consumer.unsubscribe()
    except RuntimeError:
        # It is closed already; close() itself would say nothing.
        return
    # Serves what waits for poll(), behind however many records.
    consumer.consume(MOST_WAITING, 0)
    consumer.close()


@dataclass(frozen=True)
class Group:
    """A group as its coordinator describes it."""

    state: str
    """as in `STABLE` or `EMPTY`; `DEAD` where there is no such group"""
    assignments: tuple[tuple[tuple[str, int], ...], ...]
    """for each member its partitions"""


def describe_group(admin: AdminClient, group: str) -> Group:
    """What the coordinator says of a group and its members."""
    from confluent_kafka import KafkaError, KafkaException

    asked = admin.describe_consumer_groups([group], request_timeout=ADMIN_LIMIT)
    try:
        described = asked[group].result(ADMIN_LIMIT)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return Group("DEAD", ())
        raise
    return Group(
        described.state.name,
        tuple(
            tuple((each.topic, each.partition) for each in member.assignment.topic_partitions)
            for member in described.members
        ),
    )
