"""Finds a name that is defined twice only after it created the topics before it."""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe

__all__ = [
    "CAUGHT_BY",
    "describe",
    "provision",
]

CAUGHT_BY = "defined-twice-is-refused"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    results: dict[str, Provisioned] = {}
    for definition in definitions:
        if definition.name in results:
            raise ValueError(f"defined twice: {definition.name}")
        (results[definition.name],) = right.provision(config, [definition], grow=grow)
    return list(results.values())
