"""Finds out that a name is defined twice when the topics before it are created."""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import (
    describe,
)

__all__ = [
    "CAUGHT_BY",
    "describe",
    "provision",
]

CAUGHT_BY = "defined-twice-is-refused"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    results: list[Provisioned] = []
    for each in definitions:
        if each.name in {result.name for result in results}:
            raise ValueError(f"defined twice: {each.name}")
        results += right.provision(config, [each], grow=grow)
    return results
