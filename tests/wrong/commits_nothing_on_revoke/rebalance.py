"""Gives partitions up without a commit of what was processed."""

from __future__ import annotations

from confluent_kafka import Message

from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "listener-commits-before-giving-up"


class RebalanceListener(right.RebalanceListener):
    def processed(self, message: Message) -> None:
        pass
