"""Reports missing topics as created, and creates none of them: a plan without the deed."""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Action, Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe

__all__ = ["CAUGHT_BY", "describe", "provision"]

CAUGHT_BY = "provision-creates-what-is-missing"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    results = []
    for wanted in definitions:
        (found,) = describe(config, [wanted.name])
        if found.exists:
            results += right.provision(config, [wanted], grow=grow)
        else:
            results.append(Provisioned(wanted.name, Action.CREATED))
    return results
