"""Counts a default that was set for the whole cluster among the topic's own settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from confluent_kafka.admin import AdminClient, ConfigResource, ConfigSource, ResourceType

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import (
    REQUEST_LIMIT,
    Provisioned,
    TopicDefinition,
    TopicDescription,
)
from kafkalab.tasks import topics as right

__all__ = [
    "CAUGHT_BY",
    "describe",
    "provision",
]

CAUGHT_BY = "describe-tells-what-is-there"
DEFAULTS = (ConfigSource.DEFAULT_CONFIG, ConfigSource.STATIC_BROKER_CONFIG)


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    names = [each.name for each in definitions]
    if len(set(names)) < len(names):
        raise ValueError("a topic is defined twice")
    admin = AdminClient(dict(config))
    found = {each.name: each for each in _describe_by(admin, names)}
    missing = [each for each in definitions if not found[each.name].exists]
    results = {each.name: each for each in right._create(admin, missing)}
    for definition in definitions:
        topic = found[definition.name]
        if not topic.exists and right._lost_a_race(results[definition.name]):
            (topic,) = _describe_by(admin, [definition.name])
        if topic.exists:
            results[definition.name] = right._compare(admin, definition, topic, grow=grow)
    right._wait_until_known_everywhere(admin, config, definitions, results)
    return [results[name] for name in names]


def describe(config: ClientConfig, names: Sequence[str]) -> list[TopicDescription]:
    return _describe_by(AdminClient(dict(config)), names)


def _describe_by(admin: AdminClient, names: Sequence[str]) -> list[TopicDescription]:
    return [
        replace(topic, settings=_settings(admin, topic.name)) if topic.exists else topic
        for topic in right.describe_by(admin, names)
    ]


def _settings(admin: AdminClient, name: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, name)
    (future,) = admin.describe_configs([resource], request_timeout=REQUEST_LIMIT).values()
    return {
        entry.name: entry.value
        for entry in future.result().values()
        if ConfigSource(entry.source) not in DEFAULTS
    }
