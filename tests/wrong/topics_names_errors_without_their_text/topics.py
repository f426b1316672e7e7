"""Reports the name of the broker's error, and not its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe

__all__ = [
    "CAUGHT_BY",
    "describe",
    "provision",
]

CAUGHT_BY = "provision-names-what-failed"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    return [
        replace(each, error=each.error.split(":")[0])
        for each in right.provision(config, definitions, grow=grow)
    ]
