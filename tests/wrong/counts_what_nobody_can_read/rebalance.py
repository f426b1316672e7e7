"""Counts to the end that readers of uncommitted records see."""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.rebalance import LAG_LIMIT, PartitionLag
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import RebalanceListener, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "lag-counts-what-can-be-read"


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    everything = {**config, "isolation.level": "read_uncommitted"}
    return right.lag(everything, group, topics, limit=limit)
