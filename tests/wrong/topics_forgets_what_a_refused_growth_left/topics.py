"""Reports a refused growth as failed, and the partitions that are still missing no more.

`drifts` has "every difference that is left": whoever lists what is left to be done misses it.
"""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Action, Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe

__all__ = ["CAUGHT_BY", "describe", "provision"]

CAUGHT_BY = "refused-growth-is-failed"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    return [
        Provisioned(
            each.name,
            each.action,
            tuple(drift for drift in each.drifts if drift.what != "partitions"),
            each.error,
        )
        if each.action is Action.FAILED
        else each
        for each in right.provision(config, definitions, grow=grow)
    ]
