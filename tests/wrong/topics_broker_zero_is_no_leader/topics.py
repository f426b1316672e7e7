"""Takes the broker with the id 0 for no leader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import REQUEST_LIMIT, PartitionDescription, TopicDescription
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import provision

__all__ = [
    "CAUGHT_BY",
    "describe",
    "provision",
]

CAUGHT_BY = "describe-keeps-the-replicas-order"


def describe(config: ClientConfig, names: Sequence[str]) -> list[TopicDescription]:
    admin = AdminClient(dict(config))
    described = right.describe_by(admin, names)
    known = [each.name for each in described if each.exists]
    if not known:
        return described
    asked = admin.describe_topics(TopicCollection(known), request_timeout=REQUEST_LIMIT)
    partitions = {
        name: tuple(_partition(each) for each in topic.partitions)
        for name, future in asked.items()
        if (topic := right._if_known(future)) is not None
    }
    return [
        replace(each, partitions=partitions[each.name])
        if each.name in partitions
        else TopicDescription(each.name, exists=False)
        for each in described
    ]


def _partition(info: Any) -> PartitionDescription:
    leader = info.leader.id if info.leader else None
    return PartitionDescription(
        id=info.id,
        leader=leader or None,
        replicas=tuple(node.id for node in info.replicas),
        in_sync=tuple(node.id for node in info.isr),
    )
