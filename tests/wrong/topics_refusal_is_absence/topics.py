"""Describes a topic that the broker refuses to describe as one that does not exist."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import TopicDescription
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import provision

__all__ = [
    "CAUGHT_BY",
    "describe",
    "provision",
]

CAUGHT_BY = "refused-is-not-unknown"


def describe(config: ClientConfig, names: Sequence[str]) -> list[TopicDescription]:
    admin = AdminClient(dict(config))
    return [_described(admin, name) for name in names]


def _described(admin: AdminClient, name: str) -> TopicDescription:
    try:
        (topic,) = right.describe_by(admin, [name])
    except KafkaException as error:
        # Negative codes are the client's own: it did not get an answer.
        if error.args[0].code() < 0:
            raise
        return TopicDescription(name, exists=False)
    return topic
