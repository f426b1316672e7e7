"""Knows a partition by its number, whatever the topic is."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, Message, TopicPartition

from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "listener-commits-what-was-processed"


class RebalanceListener(right.RebalanceListener):
    def __init__(self, member: str, changes: list[right.Change]) -> None:
        super().__init__(member, changes)
        self._ends: dict[int | None, int] = {}

    def processed(self, message: Message) -> None:
        self._ends[message.partition()] = (message.offset() or 0) + 1

    def on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        done = [
            TopicPartition(each.topic, each.partition, self._ends[each.partition])
            for each in partitions
            if each.partition in self._ends
        ]
        if done:
            consumer.commit(offsets=done, asynchronous=False)
        super().on_revoke(consumer, partitions)
