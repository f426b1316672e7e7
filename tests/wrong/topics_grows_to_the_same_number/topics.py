"""Asks for growth also where a topic has as many partitions as defined; the broker refuses that.

Provisioning runs again and again, at every deployment. The second one reports a failure, though
all is as it was defined.
"""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewPartitions

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Action, Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe

__all__ = ["CAUGHT_BY", "describe", "provision"]

CAUGHT_BY = "provision-grows-only-when-asked"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    results = right.provision(config, definitions, grow=grow)
    if not grow:
        return results
    admin = AdminClient(dict(config))
    return [
        _asked_to_grow(admin, definition, result)
        for definition, result in zip(definitions, results, strict=True)
    ]


def _asked_to_grow(
    admin: AdminClient, definition: TopicDefinition, result: Provisioned
) -> Provisioned:
    has_as_many = all(each.what != "partitions" for each in result.drifts)
    if result.action not in (Action.DRIFTED, Action.UNCHANGED) or not has_as_many:
        return result
    asked = admin.create_partitions([NewPartitions(definition.name, definition.partitions)])
    try:
        asked[definition.name].result()
    except KafkaException as error:
        return Provisioned(result.name, Action.FAILED, result.drifts, str(error))
    return Provisioned(result.name, Action.GROWN, result.drifts)
