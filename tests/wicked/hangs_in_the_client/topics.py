"""Asks a port at which nobody answers, without a limit, inside the client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import TopicDefinition
from kafkalab.tasks.topics import describe

__all__ = ["describe", "provision"]


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> Any:
    Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "none", "log_level": 0}).list_topics()
