"""Takes a topic that another client created meanwhile for one that is as defined."""

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

CAUGHT_BY = "provisionings-may-meet"


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
        name = definition.name
        if found[name].exists:
            results[name] = right._compare(admin, definition, found[name], grow=grow)
        elif results[name].error.startswith("TOPIC_ALREADY_EXISTS"):
            results[name] = Provisioned(name, Action.UNCHANGED)
    right._wait_until_known_everywhere(admin, config, definitions, results)
    return [results[name] for name in names]
