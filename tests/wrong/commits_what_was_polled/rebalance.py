"""Commits without offsets, and so what was polled, processed or not."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition

from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "listener-commits-what-was-processed"


class RebalanceListener(right.RebalanceListener):
    def on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        # The client raises _NO_OFFSET if nothing was polled.
        with contextlib.suppress(KafkaException):
            consumer.commit(asynchronous=False)
        self._next.clear()
        super().on_revoke(consumer, partitions)
