"""Waits for a next record without a limit, inside the client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.rebalance import LAG_LIMIT
from kafkalab.tasks.rebalance import RebalanceListener, ownerless

__all__ = ["RebalanceListener", "lag", "ownerless"]


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> Any:
    observer = Consumer({**config, "group.id": group, "enable.auto.commit": False})
    observer.assign([TopicPartition(name, 0, OFFSET_END) for name in topics])
    return observer.consume(1)
