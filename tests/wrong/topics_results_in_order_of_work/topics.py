"""Gives the results of the topics that were missing first, then those of the others."""

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

CAUGHT_BY = "provision-names-what-failed"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    before = describe(config, [each.name for each in definitions])
    was_there = {each.name: each.exists for each in before}
    results = right.provision(config, definitions, grow=grow)
    return sorted(results, key=lambda each: was_there[each.name])
