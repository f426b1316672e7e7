"""The listener keeps the consumer that on_assign is given, and commits with that one."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from kafkalab.contracts.rebalance import Change
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = ["RebalanceListener", "lag", "ownerless"]


class RebalanceListener(right.RebalanceListener):
    def __init__(self, member: str, changes: list[Change]) -> None:
        super().__init__(member, changes)
        self._consumer: Consumer | None = None

    def on_assign(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self._consumer = consumer
        super().on_assign(consumer, partitions)

    def on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        super().on_revoke(self._consumer or consumer, partitions)
