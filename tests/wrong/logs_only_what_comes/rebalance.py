"""Logs what a member is given, and not what it gives up."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "listener-logs-each-change"


class RebalanceListener(right.RebalanceListener):
    def on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        kept = list(self._changes)
        super().on_revoke(consumer, partitions)
        self._changes[:] = kept
