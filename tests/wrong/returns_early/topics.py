"""Returns when the controller has decided, before the brokers know the topics."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Action, Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe

__all__ = ["CAUGHT_BY", "describe", "provision"]

CAUGHT_BY = "provision-returns-when-all-know"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    found = describe(config, [each.name for each in definitions])
    known = [each for each, there in zip(definitions, found, strict=True) if there.exists]
    missing = [each for each in definitions if each not in known]
    results = [*right.provision(config, known, grow=grow), *create(config, missing)]
    by_name = {each.name: each for each in results}
    return [by_name[each.name] for each in definitions]


def create(config: ClientConfig, definitions: Sequence[TopicDefinition]) -> list[Provisioned]:
    """Create topics, and read the result of each."""
    new = [
        NewTopic(each.name, each.partitions, each.replicas, config=dict(each.settings))
        for each in definitions
    ]
    if not new:
        return []
    admin = AdminClient(dict(config))
    return [outcome(name, future) for name, future in admin.create_topics(new).items()]


def outcome(name: str, future: Future[None]) -> Provisioned:
    """What became of one creation."""
    try:
        future.result()
    except KafkaException as error:
        refused = error.args[0]
        return Provisioned(name, Action.FAILED, error=f"{refused.name()}: {refused.str()}")
    return Provisioned(name, Action.CREATED)
