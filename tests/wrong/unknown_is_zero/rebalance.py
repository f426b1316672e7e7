"""Says that nothing is left when nobody answers."""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.rebalance import LAG_LIMIT, LagUnknown, PartitionLag
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import RebalanceListener, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "lag-unknown-is-not-zero"


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    try:
        return right.lag(config, group, topics, limit=limit)
    except LagUnknown:
        return [PartitionLag(topic, 0, 0, 0, 0) for topic in topics]
