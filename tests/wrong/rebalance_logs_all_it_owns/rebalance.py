"""Logs with each assignment all partitions that the member then owns.

Change.partitions are "the partitions that came or went; there may be none". Under the cooperative
protocol and KIP-848 the log then says that partitions moved which stayed: each rebalance looks
like an eager one, and what it costs cannot be told.
"""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from kafkalab.contracts.rebalance import ASSIGN
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = [
    "CAUGHT_BY",
    "CAUGHT_WITH",
    "RebalanceListener",
    "lag",
    "ownerless",
]

CAUGHT_BY = "listener-logs-each-change"
CAUGHT_WITH = ("cooperative",)


class RebalanceListener(right.RebalanceListener):
    def on_assign(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self.owned.update((each.topic, each.partition) for each in partitions)
        self._log(ASSIGN, sorted(self.owned))
