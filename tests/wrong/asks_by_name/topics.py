"""Asks for the metadata of each topic by its name, and so has the broker create it."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka.admin import AdminClient

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import TopicDescription
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import (
    provision,
)

__all__ = [
    "CAUGHT_BY",
    "describe",
    "provision",
]

CAUGHT_BY = "describe-creates-nothing"


def describe(config: ClientConfig, names: Sequence[str]) -> list[TopicDescription]:
    admin, before = AdminClient(dict(config)), right.describe(config, names)
    for name in names:
        admin.list_topics(name, timeout=30)
    return before
