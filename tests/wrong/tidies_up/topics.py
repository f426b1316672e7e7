"""Deletes the application's topics that are no longer defined, with all that is in them."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka.admin import AdminClient

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import Provisioned, TopicDefinition
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe

__all__ = ["CAUGHT_BY", "describe", "provision"]

CAUGHT_BY = "provision-leaves-others-alone"


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    results = right.provision(config, definitions, grow=grow)
    admin = AdminClient(dict(config))
    names = {each.name for each in definitions}
    # A name without a `-` belongs to nobody: the broker's own topics have such names.
    ours = {application(name) for name in names} - {""}
    old = [each for each in admin.list_topics(timeout=30).topics if application(each) in ours]
    for name in set(old) - names:
        admin.delete_topics([name])[name].result()
    return results


def application(topic: str) -> str:
    """`orders-eu-1` is a topic of `orders-eu`."""
    return topic.rpartition("-")[0]
