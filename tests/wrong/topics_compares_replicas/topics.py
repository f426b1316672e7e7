"""Reports another number of replicas as drift, though "replicas are not compared".

Each topic of a small test cluster has drifted then, as its definition was written for production.
"""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Action, Drift, Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe

__all__ = ["CAUGHT_BY", "describe", "provision"]

CAUGHT_BY = "provision-reports-drift"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    results = right.provision(config, definitions, grow=grow)
    found = {each.name: each for each in describe(config, [each.name for each in definitions])}
    compared = []
    for definition, result in zip(definitions, results, strict=True):
        has = {len(each.replicas) for each in found[definition.name].partitions}
        if result.action in (Action.DRIFTED, Action.UNCHANGED) and has != {definition.replicas}:
            drift = Drift("replicas", str(definition.replicas), str(max(has)))
            drifts = (*result.drifts, drift)
            result = Provisioned(result.name, Action.DRIFTED, drifts)
        compared.append(result)
    return compared
