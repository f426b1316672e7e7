"""Waits until the brokers know the topics that it created, but not the partitions that it added."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka.admin import AdminClient

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Action, Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe

__all__ = [
    "CAUGHT_BY",
    "describe",
    "provision",
]

CAUGHT_BY = "provision-returns-when-all-know"


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
            results[definition.name] = right._compare(admin, definition, topic, grow=grow)
    created = [each for each in definitions if results[each.name].action is Action.CREATED]
    right._wait_until_known_everywhere(admin, config, created, results)
    return [results[name] for name in names]
