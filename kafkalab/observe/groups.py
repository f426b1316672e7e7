"""Consumer groups, seen and set through the admin client, without being a member."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalab.observe.topics import ADMIN_LIMIT

if TYPE_CHECKING:
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


def committed_offset(admin: AdminClient, group: str, topic: str, partition: int = 0) -> int | None:
    """A group's committed offset; None where there is no commit."""
    from confluent_kafka import ConsumerGroupTopicPartitions

    request = [ConsumerGroupTopicPartitions(group)]
    committed = admin.list_consumer_group_offsets(request)[group].result(ADMIN_LIMIT)
    for each in committed.topic_partitions:
        if (each.topic, each.partition) == (topic, partition) and each.offset >= 0:
            return int(each.offset)
    return None
