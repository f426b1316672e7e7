"""Reports each topic that was missing as created, without reading what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Action, Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe

__all__ = ["CAUGHT_BY", "describe", "provision"]

CAUGHT_BY = "provision-names-what-failed"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    found = describe(config, [each.name for each in definitions])
    results = right.provision(config, definitions, grow=grow)
    return [
        result if there.exists else Provisioned(result.name, Action.CREATED)
        for result, there in zip(results, found, strict=True)
    ]
