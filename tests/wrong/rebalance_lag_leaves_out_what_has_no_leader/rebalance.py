"""Leaves out the partitions whose end is unknown.

"A row for each partition"; "a partition whose leader does not return where its log ends has
neither end nor lag". Here it has no row: while a broker is down, the sum of the lags looks fine.
"""

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

CAUGHT_BY = "lag-of-a-dead-leader-is-unknown"


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    rows = right.lag(config, group, topics, limit=limit)
    return [row for row in rows if row.end is not None]
