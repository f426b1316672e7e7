"""Asks for a topic's partitions once, and never again."""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.rebalance import LAG_LIMIT, PartitionLag
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import RebalanceListener, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "lag-sees-new-partitions"

KNOWN: dict[tuple[str, ...], set[tuple[str, int]]] = {}


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    rows = right.lag(config, group, topics, limit=limit)
    known = KNOWN.setdefault(tuple(topics), {(row.topic, row.partition) for row in rows})
    return [row for row in rows if (row.topic, row.partition) in known]
