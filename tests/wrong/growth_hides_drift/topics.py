"""Reports a topic that has grown without the differences that are left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Action, Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import (
    describe,
)

__all__ = [
    "CAUGHT_BY",
    "describe",
    "provision",
]

CAUGHT_BY = "provision-grows-only-when-asked"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    return [
        replace(each, drifts=()) if each.action == Action.GROWN else each
        for each in right.provision(config, definitions, grow=grow)
    ]
