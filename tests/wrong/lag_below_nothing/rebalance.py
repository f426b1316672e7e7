"""Subtracts, and does not look whether anything is left."""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.rebalance import LAG_LIMIT, PartitionLag
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import RebalanceListener, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "lag-is-what-is-left"


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    return [
        each._replace(lag=each.end - each.committed)
        if each.end is not None and each.committed is not None and each.lag == 0
        else each
        for each in right.lag(config, group, topics, limit=limit)
    ]
