"""Commits partitions that are lost as if they were still its own."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "listener-commits-nothing-that-is-lost"


class RebalanceListener(right.RebalanceListener):
    def on_lost(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        places = [(each.topic, each.partition) for each in partitions]
        done = [TopicPartition(*each, self._next[each]) for each in places if each in self._next]
        if done:
            consumer.commit(offsets=done, asynchronous=False)
        super().on_lost(consumer, partitions)
