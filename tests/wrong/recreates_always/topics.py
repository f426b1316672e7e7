"""Deletes what is there and creates it again, so that every deployment starts afresh."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka.admin import AdminClient

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe
from kafkalab.waiting import wait_until

__all__ = ["CAUGHT_BY", "describe", "provision"]

CAUGHT_BY = "provision-again-changes-nothing"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    found = describe(config, [each.name for each in definitions])
    delete(config, [each.name for each in found if each.exists])
    return right.provision(config, definitions, grow=grow)


def delete(config: ClientConfig, names: Sequence[str]) -> None:
    """Delete topics; on return the broker has forgotten them."""
    if not names:
        return
    admin = AdminClient(dict(config))
    for future in admin.delete_topics(list(names)).values():
        future.result()
    wait_until(
        lambda: not any(each.exists for each in describe(config, names)),
        limit=30,
        what=f"{', '.join(names)} to be gone",
    )
