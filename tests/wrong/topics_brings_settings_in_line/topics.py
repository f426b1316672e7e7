"""Sets what a drifted topic has otherwise to what is defined, and reports the drift as before.

"It keeps its partitions and settings": a shorter retention takes effect at the next deployment, and
the broker deletes records that somebody had decided to keep.
"""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe

__all__ = ["CAUGHT_BY", "describe", "provision"]

CAUGHT_BY = "provision-reports-drift"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    results = right.provision(config, definitions, grow=grow)
    admin = AdminClient(dict(config))
    for result in results:
        wanted = [
            ConfigEntry(each.what, each.defined, incremental_operation=AlterConfigOpType.SET)
            for each in result.drifts
            if each.what != "partitions" and each.defined is not None
        ]
        if wanted:
            resource = ConfigResource(ResourceType.TOPIC, result.name, incremental_configs=wanted)
            admin.incremental_alter_configs([resource])[resource].result()
    return results
