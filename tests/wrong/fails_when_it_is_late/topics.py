"""Reports a topic as failed that another provisioning created meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Action, Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import (
    describe,
)

__all__ = [
    "CAUGHT_BY",
    "describe",
    "provision",
]

CAUGHT_BY = "provisionings-may-meet"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    admin, results = AdminClient(dict(config)), []
    found = right.describe(config, [each.name for each in definitions])
    for definition, topic in zip(definitions, found, strict=True):
        if topic.exists:
            results += right.provision(config, [definition], grow=grow)
            continue
        new = NewTopic(definition.name, definition.partitions, definition.replicas)
        try:
            admin.create_topics([new])[definition.name].result()
            results.append(Provisioned(definition.name, Action.CREATED))
        except KafkaException as error:
            results.append(Provisioned(definition.name, Action.FAILED, error=str(error)))
    return results
