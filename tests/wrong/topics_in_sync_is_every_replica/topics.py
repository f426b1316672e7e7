"""Takes each replica for one in sync."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import TopicDescription
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import provision

__all__ = [
    "CAUGHT_BY",
    "describe",
    "provision",
]

CAUGHT_BY = "describe-keeps-the-replicas-order"


def describe(config: ClientConfig, names: Sequence[str]) -> list[TopicDescription]:
    return [
        replace(
            each, partitions=tuple(replace(one, in_sync=one.replicas) for one in each.partitions)
        )
        for each in right.describe(config, names)
    ]
