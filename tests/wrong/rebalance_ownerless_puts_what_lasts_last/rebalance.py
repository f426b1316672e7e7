"""Puts the gaps that still last behind those that are over."""

from __future__ import annotations

from collections.abc import Iterable

from kafkalab.contracts.rebalance import Change, Gap
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import RebalanceListener, lag

__all__ = [
    "CAUGHT_BY",
    "RebalanceListener",
    "lag",
    "ownerless",
]

CAUGHT_BY = "ownerless-time-comes-out-right"


def ownerless(changes: Iterable[Change]) -> list[Gap]:
    return sorted(right.ownerless(changes), key=lambda gap: gap.until is None)
