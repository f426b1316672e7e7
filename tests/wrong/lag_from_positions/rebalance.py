"""Takes a reader's position for what the group has done."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from confluent_kafka import Consumer, TopicPartition

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.rebalance import LAG_LIMIT, PartitionLag
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import RebalanceListener, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "lag-follows-commits-not-positions"


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    rows = right.lag(config, group, topics, limit=limit)
    with closing(Consumer({**config, "group.id": group, "enable.auto.commit": False})) as reader:
        return [_measured(reader, row) for row in rows]


def _measured(reader: Consumer, row: PartitionLag) -> PartitionLag:
    if row.committed is None or row.end is None:
        return row
    place = TopicPartition(row.topic, row.partition, row.committed)
    reader.assign([place])
    reader.consume(row.end - row.committed, 5)
    return row._replace(lag=row.end - reader.position([place])[0].offset)
