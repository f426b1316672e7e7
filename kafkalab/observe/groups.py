"""Consumer groups, seen and set by an observer that is not a member."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalab.observe.topics import ADMIN_LIMIT

if TYPE_CHECKING:
    from confluent_kafka import Consumer
    from confluent_kafka.admin import AdminClient


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
