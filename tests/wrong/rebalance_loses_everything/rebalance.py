"""Takes a loss of some partitions for the loss of all that the member owns.

"Nothing of them is committed [...]. The partitions are owned no more": the partitions of the
callback. The others are still owned, and what was processed of them has to be committed when they
are revoked; here they leave `owned` unlogged, and the next owner processes their records again.
"""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, TopicPartition

from kafkalab.contracts.rebalance import LOST
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = [
    "CAUGHT_BY",
    "RebalanceListener",
    "lag",
    "ownerless",
]

CAUGHT_BY = "listener-commits-nothing-that-is-lost"


class RebalanceListener(right.RebalanceListener):
    def on_lost(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self.owned.clear()
        self._next.clear()
        self._log(LOST, [(each.topic, each.partition) for each in partitions])
