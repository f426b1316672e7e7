"""Describes a topic as it was last provisioned, without asking the broker."""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import (
    Action,
    PartitionDescription,
    Provisioned,
    TopicDefinition,
    TopicDescription,
)
from kafkalab.tasks import topics as right

__all__ = ["CAUGHT_BY", "describe", "provision"]

CAUGHT_BY = "describe-tells-what-is-there"

provisioned: dict[str, TopicDefinition] = {}


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    results = right.provision(config, definitions, grow=grow)
    for definition, result in zip(definitions, results, strict=True):
        if result.action is not Action.FAILED:
            provisioned[definition.name] = definition
    return results


def describe(
    config: ClientConfig,  # noqa: ARG001  (that nobody is asked is what is wrong)
    names: Sequence[str],
) -> list[TopicDescription]:
    return [remembered(name) for name in names]


def remembered(name: str) -> TopicDescription:
    """A topic as its definition says it should be."""
    definition = provisioned.get(name)
    if definition is None:
        return TopicDescription(name, exists=False)
    return TopicDescription(
        name,
        exists=True,
        partitions=tuple(
            PartitionDescription(number, leader=1, replicas=(1,), in_sync=(1,))
            for number in range(definition.partitions)
        ),
        settings=definition.settings,
    )
