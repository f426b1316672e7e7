"""Gives the partitions up and logs that first, and commits afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from kafkalab.contracts.rebalance import REVOKE
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = [
    "CAUGHT_BY",
    "RebalanceListener",
    "lag",
    "ownerless",
]

CAUGHT_BY = "listener-commits-before-giving-up"


class RebalanceListener(right.RebalanceListener):
    def on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        places = [(each.topic, each.partition) for each in partitions]
        done = [TopicPartition(*each, self._next[each]) for each in places if each in self._next]
        self._give_up(REVOKE, places)
        if done:
            consumer.commit(offsets=done, asynchronous=False)
