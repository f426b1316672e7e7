"""Logs no callback that has no partitions."""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import lag, ownerless

__all__ = ["CAUGHT_BY", "RebalanceListener", "lag", "ownerless"]

CAUGHT_BY = "an-empty-change-is-logged"


class RebalanceListener(right.RebalanceListener):
    def _log(self, kind: str, places: Sequence[tuple[str, int]]) -> None:
        if places:
            super()._log(kind, places)
