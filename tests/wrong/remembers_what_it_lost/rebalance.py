"""Forgets what it gave up, and not what it lost."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = ["CAUGHT_BY", "CAUGHT_WITH", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "listener-forgets-what-it-gave-up"
CAUGHT_WITH = ("on_lost",)


class RebalanceListener(right.RebalanceListener):
    def on_lost(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        before = dict(self._next)
        super().on_lost(consumer, partitions)
        self._next = before
