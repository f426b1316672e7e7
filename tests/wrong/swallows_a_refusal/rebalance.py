"""Swallows the error of the commit in on_revoke."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition

from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "listener-lets-a-refusal-out"


class RebalanceListener(right.RebalanceListener):
    def on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        with contextlib.suppress(KafkaException):
            super().on_revoke(consumer, partitions)
