"""Never forgets what was processed, and commits it when the partition comes and goes again."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = ["CAUGHT_BY", "CAUGHT_WITH", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "listener-forgets-what-it-gave-up"
CAUGHT_WITH = ("on_revoke",)


class RebalanceListener(right.RebalanceListener):
    def on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        before = dict(self._next)
        super().on_revoke(consumer, partitions)
        self._next = before
