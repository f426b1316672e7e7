"""Leaves consumers that poll in threads which never end, and creates nothing."""

from __future__ import annotations

import threading
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
    for number in range(10):
        consumer = Consumer({**config, "group.id": f"{definitions[0].name}-{number % 2}"})
        consumer.subscribe([each.name for each in definitions])
        threading.Thread(target=poll_for_ever, args=(consumer,), daemon=False).start()
    return []


def poll_for_ever(consumer: Consumer) -> None:
    while True:
        consumer.poll(0.1)
