"""Shows a lag of 0 where nothing was committed, as if all had been read."""

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
    rows = right.lag(config, group, topics, limit=limit)
    return [row._replace(lag=row.lag or 0) for row in rows]
