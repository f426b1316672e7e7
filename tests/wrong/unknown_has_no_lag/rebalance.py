"""Leaves a topic that is unknown out of the lag."""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.rebalance import LAG_LIMIT, LagUnknown, PartitionLag
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import RebalanceListener, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "lag-of-an-unknown-topic-is-unknown"


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    rows: list[PartitionLag] = []
    for topic in topics:
        try:
            rows += right.lag(config, group, [topic], limit=limit)
        except LagUnknown:
            continue
    return rows
