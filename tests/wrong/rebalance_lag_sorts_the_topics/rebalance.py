"""Returns the rows by the alphabet, and not by topic as named.

"A row for each partition, by topic as named, then by partition." Whoever named the topics in an
order of his own and reads the rows in that order takes the lag of one topic for that of another.
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

CAUGHT_BY = "lag-rows-come-as-asked"


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    rows = right.lag(config, group, topics, limit=limit)
    return sorted(rows, key=lambda row: (row.topic, row.partition))
