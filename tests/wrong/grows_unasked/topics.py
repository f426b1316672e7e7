"""Adds partitions to a topic that has fewer than defined, without being asked to."""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe

__all__ = ["CAUGHT_BY", "describe", "provision"]

CAUGHT_BY = "provision-grows-only-when-asked"


def provision(
    config: ClientConfig,
    definitions: Sequence[TopicDefinition],
    *,
    grow: bool = False,  # noqa: ARG001  (that nobody looks at it is what is wrong)
) -> list[Provisioned]:
    return right.provision(config, definitions, grow=True)
