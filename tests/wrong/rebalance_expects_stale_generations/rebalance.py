"""Takes a commit that is refused during a rebalance for a matter of course.

"Raises: KafkaException: the group refused the commit." A member that was too slow learns nothing:
its records come again elsewhere, while its log says that it gave the partitions up in good order.
"""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from kafkalab.contracts.rebalance import REVOKE
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = [
    "CAUGHT_BY",
    "RebalanceListener",
    "lag",
    "ownerless",
]

CAUGHT_BY = "listener-lets-a-refusal-out"

EXPECTED = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.STALE_MEMBER_EPOCH,
}


class RebalanceListener(right.RebalanceListener):
    def on_revoke(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        try:
            super().on_revoke(consumer, partitions)
        except KafkaException as error:
            if error.args[0].code() not in EXPECTED:
                raise
            self._give_up(REVOKE, [(each.topic, each.partition) for each in partitions])
