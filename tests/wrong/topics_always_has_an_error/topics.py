"""Reports NO_ERROR as the error of what did not fail."""

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
        replace(each, error=each.error or "NO_ERROR: Success")
        for each in right.provision(config, definitions, grow=grow)
    ]
