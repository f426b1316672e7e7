"""Writes the broker's default into a drift where the topic has no setting of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import REQUEST_LIMIT, Drift, Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe

__all__ = [
    "CAUGHT_BY",
    "describe",
    "provision",
]

CAUGHT_BY = "provision-reports-drift"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    results = right.provision(config, definitions, grow=grow)
    if not any(drift.found is None for each in results for drift in each.drifts):
        return results
    admin = AdminClient(dict(config))
    return [
        replace(each, drifts=_with_values(admin, each.name, each.drifts)) if each.drifts else each
        for each in results
    ]


def _with_values(admin: AdminClient, name: str, drifts: Sequence[Drift]) -> tuple[Drift, ...]:
    resource = ConfigResource(ResourceType.TOPIC, name)
    (future,) = admin.describe_configs([resource], request_timeout=REQUEST_LIMIT).values()
    entries = future.result()
    return tuple(
        replace(drift, found=entries[drift.what].value)
        if drift.found is None and drift.what in entries
        else drift
        for drift in drifts
    )
