"""Keeps ends and commits by the partition's number alone, whatever its topic.

A group reads two topics: the lag of one is told for the other, and the one that falls behind looks
fine.
"""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.rebalance import LAG_LIMIT, PartitionLag
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import RebalanceListener, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "lag-rows-come-as-asked"


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    rows = right.lag(config, group, topics, limit=limit)
    known = {each.partition: each for each in rows}
    return [known[each.partition]._replace(topic=each.topic) for each in rows]
