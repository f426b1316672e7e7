"""Forgets the progress of all partitions when some of them are revoked.

"Then the partitions are owned no more, and what was processed of them is forgotten": of them, not
of those that stay. Under the cooperative protocol a partition that stays and is revoked later,
before its next record, is given up without a commit; the next owner processes its records again.
"""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = [
    "CAUGHT_BY",
    "RebalanceListener",
    "lag",
    "ownerless",
]

CAUGHT_BY = "listener-commits-what-was-processed"


class RebalanceListener(right.RebalanceListener):
    def on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        super().on_revoke(consumer, partitions)
        self._next.clear()
