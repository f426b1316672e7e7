"""Asks whether the offset is true, and so forgets the first record."""

from __future__ import annotations

from confluent_kafka import Message

from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "listener-commits-what-was-processed"


class RebalanceListener(right.RebalanceListener):
    def processed(self, message: Message) -> None:
        if message.offset():
            super().processed(message)
