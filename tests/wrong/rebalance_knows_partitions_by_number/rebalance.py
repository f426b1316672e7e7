"""Remembers what was processed by the partition's number alone, whatever its topic.

"With the offset after the last processed record of each": of each partition of each topic. A
member that reads two topics commits the offset of the one for the other: records are skipped or
come again.
"""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, Message, TopicPartition

from kafkalab.contracts import Place
from kafkalab.contracts.rebalance import REVOKE, Change
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
    def __init__(self, member: str, changes: list[Change]) -> None:
        super().__init__(member, changes)
        self._after: dict[int, int] = {}

    def processed(self, message: Message) -> None:
        self._after[message.partition() or 0] = (message.offset() or 0) + 1

    def on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        places = [(each.topic, each.partition) for each in partitions]
        done = [
            TopicPartition(topic, number, self._after[number])
            for topic, number in places
            if number in self._after
        ]
        if done:
            consumer.commit(offsets=done, asynchronous=False)
        self._give_up(REVOKE, places)

    def _give_up(self, kind: str, places: Sequence[Place]) -> None:
        super()._give_up(kind, places)
        for _, number in places:
            self._after.pop(number, None)
