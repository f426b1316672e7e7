"""Asks with a limit of its own, whatever the caller's is."""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.rebalance import LAG_LIMIT, PartitionLag
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import RebalanceListener, ownerless

__all__ = [
    "CAUGHT_BY",
    "RebalanceListener",
    "lag",
    "ownerless",
]

CAUGHT_BY = "lag-unknown-is-not-zero"


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    return right.lag(config, group, topics, limit=max(limit, LAG_LIMIT))
