"""Reports a growth that the broker refused as a drift, without the broker's error."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewPartitions

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import (
    REQUEST_LIMIT,
    Action,
    Provisioned,
    TopicDefinition,
    TopicDescription,
)
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe

__all__ = [
    "CAUGHT_BY",
    "describe",
    "provision",
]

CAUGHT_BY = "refused-growth-is-failed"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    names = [each.name for each in definitions]
    if len(set(names)) < len(names):
        raise ValueError("a topic is defined twice")
    admin = AdminClient(dict(config))
    found = {each.name: each for each in right.describe_by(admin, names)}
    missing = [each for each in definitions if not found[each.name].exists]
    results = {each.name: each for each in right._create(admin, missing)}
    for definition in definitions:
        topic = found[definition.name]
        if not topic.exists and right._lost_a_race(results[definition.name]):
            (topic,) = right.describe_by(admin, [definition.name])
        if topic.exists:
            results[definition.name] = _compare(admin, definition, topic, grow)
    right._wait_until_known_everywhere(admin, config, definitions, results)
    return [results[name] for name in names]


def _compare(
    admin: AdminClient, definition: TopicDefinition, found: TopicDescription, grow: bool
) -> Provisioned:
    name, drifts = definition.name, right.drifts_of(definition, found)
    if grow and len(found.partitions) < definition.partitions and _grow(admin, definition):
        left = tuple(each for each in drifts if each.what != "partitions")
        return Provisioned(name, Action.GROWN, left)
    return Provisioned(name, Action.DRIFTED if drifts else Action.UNCHANGED, drifts)


def _grow(admin: AdminClient, definition: TopicDefinition) -> bool:
    asked = admin.create_partitions(
        [NewPartitions(definition.name, definition.partitions)],
        operation_timeout=REQUEST_LIMIT,
        request_timeout=REQUEST_LIMIT,
    )
    try:
        asked[definition.name].result()
    except KafkaException:
        return False
    return True
