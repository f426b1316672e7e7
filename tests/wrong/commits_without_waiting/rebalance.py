"""Commits in on_revoke, and does not wait for the answer."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "listener-lets-a-refusal-out"


class RebalanceListener(right.RebalanceListener):
    def on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        done = [
            TopicPartition(each.topic, each.partition, self._next[each.topic, each.partition])
            for each in partitions
            if (each.topic, each.partition) in self._next
        ]
        if done:
            consumer.commit(offsets=done, asynchronous=True)
        self._next.clear()
        super().on_revoke(consumer, partitions)
