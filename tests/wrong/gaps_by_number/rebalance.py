"""Finds gaps by the partition's number, whatever the topic is."""

from __future__ import annotations

from collections.abc import Iterable

from kafkalab.contracts.rebalance import Change, Gap
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import RebalanceListener, lag

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "ownerless-tells-topics-apart"


def ownerless(changes: Iterable[Change]) -> list[Gap]:
    return right.ownerless(
        each._replace(partitions=tuple(("t", number) for _, number in each.partitions))
        for each in changes
    )
