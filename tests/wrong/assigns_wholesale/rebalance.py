"""Takes the partitions of a callback for all that it owns, as under the eager protocol."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "listener-keeps-what-stays"


class RebalanceListener(right.RebalanceListener):
    def on_assign(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self.owned.clear()
        super().on_assign(consumer, partitions)
