"""Deletes a topic and creates it again when it is not as defined."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka.admin import AdminClient

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Action, Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe
from kafkalab.waiting import wait_until

__all__ = ["CAUGHT_BY", "describe", "provision"]

CAUGHT_BY = "provision-reports-drift"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    results = right.provision(config, definitions, grow=grow)
    drifted = [each.name for each in results if each.action is Action.DRIFTED]
    if not drifted:
        return results
    delete(config, drifted)
    again = right.provision(config, [each for each in definitions if each.name in drifted])
    created = {each.name: each for each in again}
    return [created.get(each.name, each) for each in results]


def delete(config: ClientConfig, names: Sequence[str]) -> None:
    """Delete topics; on return the broker has forgotten them."""
    admin = AdminClient(dict(config))
    for future in admin.delete_topics(list(names)).values():
        future.result()
    wait_until(
        lambda: not any(each.exists for each in describe(config, names)),
        limit=30,
        what=f"{', '.join(names)} to be gone",
    )
