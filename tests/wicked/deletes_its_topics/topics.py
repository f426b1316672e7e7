"""Creates the topics, and deletes them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from confluent_kafka.admin import AdminClient

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe

__all__ = ["describe", "provision"]


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> Any:
    results = right.provision(config, definitions, grow=grow)
    admin = AdminClient(dict(config))
    for future in admin.delete_topics([each.name for each in definitions]).values():
        future.result()
    names = [each.name for each in definitions]
    while any(each.exists for each in describe(config, names)):
        continue
    return results
